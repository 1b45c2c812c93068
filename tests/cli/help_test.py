"""The help of every command: help_test.py MILLRACE. Python's standard library only."""
import resource
import subprocess
import sys

MILLRACE = sys.argv[1]
COMMANDS = ["shell", "server", "run", "test", "load", "bench"]
LONGEST = 0.1  # seconds, the best of some tries


def spent():
    """CPU time of the children: other processes do not change it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


for command in COMMANDS:
    best = None
    for _ in range(5):
        began = spent()
        done = subprocess.run([MILLRACE, command, "--help"], capture_output=True, text=True, timeout=60)
        took = spent() - began
        best = took if best is None else min(best, took)
    assert done.returncode == 0 and not done.stderr, (command, done)
    assert done.stdout.startswith("usage: millrace"), (command, done.stdout)
    assert f"\nexamples:\n  millrace" in done.stdout or "| millrace" in done.stdout, (command, done.stdout)
    assert best < LONGEST, f"{command} --help takes {best * 1000:.0f} ms"
    print(f"{command} --help: {best * 1000:.1f} ms")
