"""Structure checks: include layering, file and function sizes, names defined once.
Usage: check.py layers|sizes|names ROOT [MODULES_FILE]"""
import pathlib
import re
import sys

MAX_FILE, MAX_FUNCTION = 800, 80
WARN_FILE, WARN_FUNCTION = 400, 40
FOLDERS = ("parser", "planner", "exec", "server", "cli")


def sources(root, folders):
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cpp"):
                yield path


def layers(root, modules_file):
    """Every #include of a project header must lie in the module itself or in one it USES."""
    uses, folder_of = {}, {}
    for line in pathlib.Path(modules_file).read_text().split(";"):
        name, folder, used = line.strip().split("=")
        folder_of[folder] = name
        uses[name] = {u for u in used.split(",") if u}
    problems = []

    def module_of(folder):
        """A folder that is no module belongs to the one around it."""
        around = [folder, *folder.parents]
        return next((folder_of[str(f)] for f in around if str(f) in folder_of), None)

    for path in sources(root, FOLDERS):
        folder = path.relative_to(root).parent
        module = module_of(folder)
        if module is None:
            problems.append(f"{path}: folder {folder} is not a module of cmake/modules.cmake")
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#include "((?:%s)/[^"]+)"' % "|".join(FOLDERS), line)
            if not match:
                continue
            target = module_of(pathlib.PurePosixPath(match[1]).parent)
            if target != module and target not in uses[module]:
                problems.append(f"{path.relative_to(root)}:{number}: {match[1]} is not in USES of {module}")
    return problems


def function_lengths(text):
    """(first line, length) of bodies that start at column 0, which is where the formatter puts functions."""
    start, signature = None, False
    for number, line in enumerate(text.splitlines(), 1):
        if start is not None:
            if line.startswith("}"):
                yield start, number - start + 1
                start = None
            continue
        if re.match(r"[A-Za-z_~:<]", line):
            # A signature may be wrapped: its first line stands at column 0, its last one ends in the brace.
            signature = "(" in line and not re.match(r"(namespace|class|struct|enum|union|using|template)\b", line)
        if signature and line.endswith("{"):
            start, signature = number, False
        elif line.endswith((";", "}")) or not line:
            signature = False


def sizes(root):
    problems, long_files, long_functions = [], 0, 0
    for path in sources(root, FOLDERS + ("tests", "bench")):
        text = path.read_text()
        lines = text.count("\n")
        name = path.relative_to(root)
        if lines > MAX_FILE:
            problems.append(f"{name}: {lines} lines, at most {MAX_FILE}")
        long_files += lines > WARN_FILE
        for start, length in function_lengths(text):
            if length > MAX_FUNCTION:
                problems.append(f"{name}:{start}: function of {length} lines, at most {MAX_FUNCTION}")
            long_functions += length > WARN_FUNCTION
    print(f"{long_files} files over {WARN_FILE} lines, {long_functions} functions over {WARN_FUNCTION}")
    return problems


TYPE = re.compile(r"(?:class|struct|union|enum(?: class)?) (?:\w+\([^)]*\) )?(\w+(?:::\w+)*)(?! *[\w:]*[<(])(?![^{]*;)")
FUNCTION = re.compile(r"[\w:<>,&* \[\]]*?((?:\w+(?:<[^()]*>)?::)*\w+\(.*\))(?: const)?(?: noexcept)?(?: requires .*)? \{")


def definitions(text):
    """(line, namespaces and name) of types, and of functions that several objects may hold, outside of unnamed namespaces, as the
    formatter lays them out."""
    spaces, template = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("}  // namespace"):
            spaces.pop()
        elif match := re.match(r"namespace\b *([\w:. ]*)\{", line):
            spaces.append(match[1].strip())
        elif "" in spaces:
            continue
        elif match := TYPE.match(line):
            yield number, "::".join([*spaces, match[1]])
        elif (match := FUNCTION.match(line)) and (template or re.match(r"(static )?(constexpr|inline) ", line)):
            if not line.startswith("static "):
                yield number, "::".join([*spaces, match[1]])
        template = line.startswith("template ") or (template and line.startswith("requires "))


def names(root):
    """Two definitions of one name break the one-definition rule in silence, as soon as one program links both. A folder of tests is a
    program with all that stands below it."""
    problems, seen = [], {}

    def look(path, known):
        for number, name in definitions(path.read_text()):
            place = f"{path.relative_to(root)}:{number}"
            if name in known:
                problems.append(f"{place}: {name} is defined at {known[name]} too")
            known.setdefault(name, place)

    for path in sources(root, FOLDERS + ("tests/harness",)):
        look(path, seen)
    for folder in sorted({path.parent for path in sources(root, ("tests",))} - {root / "tests/harness"}):
        known = dict(seen)
        for path in sorted([*folder.glob("*.h"), *folder.glob("*.cpp")]):
            look(path, known)
    return problems


def main():
    root = pathlib.Path(sys.argv[2]).resolve()
    checks = {"layers": lambda: layers(root, sys.argv[3]), "sizes": lambda: sizes(root), "names": lambda: names(root)}
    problems = checks[sys.argv[1]]()
    print("\n".join(problems))
    return 1 if problems else 0


sys.exit(main())
