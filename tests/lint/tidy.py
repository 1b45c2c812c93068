"""clang-tidy over the modules, several of their files at once: tidy.py BUILD JOBS [BASE]

BUILD is configured with MILLRACE_UNITY, so that what a module's files have in common is read once for eight of them. With BASE only
those are looked at that hold a file changed since that commit, or lie in the folder of a changed header."""
import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("parser", "planner", "exec", "server", "cli")
OPTIONS = ["--quiet", f"--config-file={ROOT}/.clang-tidy", "--checks=-bugprone-suspicious-include",
           "--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-deprecated-declarations"]


def parts(file):
    """The sources behind a file of the compile commands, relative to the root."""
    path = pathlib.Path(file)
    files = re.findall(r'#include "(.*)"', path.read_text()) if "Unity" in path.parts else [file]
    return [pathlib.Path(f).relative_to(ROOT) for f in files if pathlib.Path(f).is_relative_to(ROOT)]


def changed(base):
    command = ["git", "-C", ROOT, "diff", "--name-only", base, "--", "*.h", "*.cpp"]
    return {pathlib.Path(name) for name in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()}


def wanted(file, differing):
    files = [part for part in parts(file) if part.parts[0] in FOLDERS]
    if not files or differing is None:
        return bool(files)
    folders = {path.parent for path in differing if path.suffix == ".h"}
    return any(part in differing or part.parent in folders for part in files)


def look_at(build, file):
    return file, subprocess.run(["clang-tidy-19", "-p", build, *OPTIONS, file], capture_output=True, text=True, cwd=ROOT)


def main():
    build, jobs = sys.argv[1], int(sys.argv[2])
    differing = changed(sys.argv[3]) if len(sys.argv) > 3 else None
    commands = json.loads((pathlib.Path(build) / "compile_commands.json").read_text())
    files = [command["file"] for command in commands if wanted(command["file"], differing)]
    began, failed = time.monotonic(), 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(look_at, build, file) for file in files]):
            file, result = done.result()
            if result.returncode != 0:
                failed += 1
                print(result.stdout or result.stderr, flush=True)
    print(f"{len(files)} files in {time.monotonic() - began:.0f} s, {failed} with findings")
    return 1 if failed else 0


sys.exit(main())
