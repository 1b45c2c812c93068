#!/usr/bin/env python3
"""same_rows_test.py MILLRACE SCRIPT [RUNS]: a script prints the same bytes every time, also beside two busy loops."""
import subprocess
import sys


def main():
    millrace, script, runs = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 5
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        seen = {}
        for _ in range(runs):
            done = subprocess.run([millrace, "run", script], capture_output=True, text=True, timeout=120, check=False)
            if done.returncode != 0:
                print(done.stdout, done.stderr)
                return 1
            seen[done.stdout] = seen.get(done.stdout, 0) + 1
    finally:
        for process in busy:
            process.kill()
            process.wait()
    print(f"{runs} runs, {len(seen)} different outputs")
    for text, count in seen.items():
        print(f"--- {count} times\n{text}")
    return 0 if len(seen) == 1 else 1


if __name__ == "__main__":
    sys.exit(main())
