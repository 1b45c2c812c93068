"""What mutexes guard, checked by clang: thread_safety.py CLANG BUILD SECONDS [FOLDER...]

Every source that takes a lock, or includes a header that says GUARDED_BY or REQUIRES, is read with -Wthread-safety as an error; with
FOLDERs only those in them. Sources of a module that are compiled as one are read as one. Fails when it takes longer than SECONDS."""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("parser", "planner", "exec", "server", "cli")
WORDS = re.compile(r"\b(MutexLock|RecursiveLock|ReadLock|WriteLock|GUARDED_BY|REQUIRES|EXCLUDES)\b")


def parts(file):
    path = pathlib.Path(file)
    files = re.findall(r'#include "(.*)"', path.read_text()) if "Unity" in path.parts else [file]
    return [p.relative_to(ROOT) for p in (ROOT / f for f in files) if p.is_relative_to(ROOT)]


def annotated_headers():
    headers = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.h"))
    return {str(path.relative_to(ROOT)) for path in headers if WORDS.search(path.read_text())} - {"parser/error/mutex.h"}


def locks(part, headers):
    text = (ROOT / part).read_text()
    return bool(WORDS.search(text)) or any(h in headers for h in re.findall(r'#include "([^"]+)"', text))


def main():
    clang, build, seconds, folders = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4:] or FOLDERS
    headers = annotated_headers()
    commands = []
    for entry in json.loads((pathlib.Path(build) / "compile_commands.json").read_text()):
        files = [p for p in parts(entry["file"]) if any(p.is_relative_to(f) for f in folders) and locks(p, headers)]
        if not files:
            continue
        words = shlex.split(entry["command"])
        flags = [w for w, before in zip(words, ["", *words])
                 if w.startswith(("-I", "-D", "-isystem", "-std", "-f")) or before == "-isystem"]
        warnings = ["-Wthread-safety", "-Werror=thread-safety", "-Wno-unknown-warning-option"]
        commands.append(([clang, *flags, "-fsyntax-only", *warnings, "-x", "c++", "-"], files))
    deadline, failed = time.monotonic() + seconds, 0

    def look(work):
        command, files = work
        source = "".join(f'#include "{file}"\n' for file in files)
        try:
            return subprocess.run([*command, f"-I{ROOT}"], input=source, capture_output=True, text=True, cwd=build,
                                  timeout=max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 1, "", f"{files[0]}: no time left of {seconds:.0f} s\n")

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(look, commands):
            if result.returncode != 0:
                failed += 1
                print(result.stderr, flush=True)
    print(f"{sum(len(files) for _, files in commands)} files in {len(commands)} parts, {failed} with findings")
    return 1 if failed or not commands else 0


sys.exit(main())
