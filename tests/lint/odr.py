"""One definition for each name: odr.py CXX BUILD

Two classes of one name in one program are one class to the linker, which says nothing. Which names there can be twice is found out without
a link of everything: all headers of the program are compiled as one file, where a second definition is an error; and of what has been built,
no two object files define the same symbol. What a source alone defines outside of unnamed namespaces, `check.py names` compares."""
import collections
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("parser", "planner", "exec", "server", "cli")


def flags(build):
    """Those of all modules together."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        for word, before in zip(words, ["", *words]):
            if before == "-isystem":
                found["-isystem" + word] = None
            elif word.startswith(("-I", "-D", "-std")) and not word.startswith("-DMILLRACE_"):
                found[word] = None
    return list(found)


def headers_together(compiler, build):
    headers = sorted(path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.h"))
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as source:
        source.write("".join(f'#include "{header}"\n' for header in headers))
        source.flush()
        done = subprocess.run([compiler, *flags(build), f"-I{ROOT}", "-w", "-fsyntax-only", source.name], capture_output=True, text=True, cwd=build)
    print(f"{len(headers)} headers together")
    return [] if done.returncode == 0 else [line for line in done.stderr.splitlines() if re.search(r"error:|note:", line)]


def symbols_of(library):
    """(symbol, object file) of what only one object file may define."""
    listing = subprocess.run(["nm", "-A", "-g", "--defined-only", library], capture_output=True, text=True).stdout
    for line in listing.splitlines():
        place, kind, symbol = re.match(r"(\S+?):?\s*[0-9a-f]* (\w) (\S+)$", line).groups()
        if kind in "TDBR":
            yield symbol, ":".join(pathlib.Path(place).parts[-1].split(":")[:2])


def symbols_twice(build):
    places = collections.defaultdict(set)
    for library in sorted(build.glob("lib*.a")):
        for symbol, place in symbols_of(library):
            places[symbol].add(place)
    print(f"{len(places)} symbols of the libraries built")
    twice = {symbol: sorted(where) for symbol, where in places.items() if len(where) > 1}
    names = subprocess.run(["c++filt"], input="\n".join(twice), capture_output=True, text=True).stdout.splitlines()
    return [f"{name} is defined in {' and '.join(where)}" for name, where in zip(names, twice.values())]


def main():
    compiler, build = sys.argv[1], pathlib.Path(sys.argv[2])
    problems = headers_together(compiler, build) + symbols_twice(build)
    print("\n".join(problems))
    return 1 if problems else 0


sys.exit(main())
