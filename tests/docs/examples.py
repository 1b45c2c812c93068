"""Runs the SQL examples of pages and compares what is printed with what the page says.

examples.py [--update] MILLRACE PAGE...

A section of a page (from one heading to the next) is one script: its blocks marked ```sql, in order. What `millrace run` prints for it
must be the section's blocks marked ```text, in order. A section without ```text is only checked to run. --update writes what is printed
into the page: into the last ```text block of a section if it has one only, else the section is left to be mended by hand."""
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(sql|text)\n(.*?)^```$", re.M | re.S)


def sections(page):
    """(first line, text) of each section with SQL in it."""
    starts = [0]
    fenced, at = False, 0
    for line in page.splitlines(keepends=True):
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            starts.append(at)
        at += len(line)
    for start, end in zip(starts, [*starts[1:], len(page)]):
        if "```sql\n" in page[start:end]:
            yield start, page[start:end]


def lines_of(text):
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def run(millrace, script):
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        done = subprocess.run([millrace, "run", file.name], capture_output=True, text=True, timeout=120,
                              env={**os.environ, "COLUMNS": "80"})
    return done.stdout + done.stderr


def check(millrace, section):
    """(what the page says, what is printed), as lines."""
    blocks = BLOCK.findall(section)
    said = run(millrace, "\n".join(text for kind, text in blocks if kind == "sql"))
    expected = [line for kind, text in blocks if kind == "text" for line in lines_of(text)]
    printed = [line for line in lines_of(said)]
    if not any(kind == "text" for kind, _ in blocks):
        expected = printed if "error[" not in said else expected
    return expected, printed


def updated(section, printed):
    blocks = [match for match in BLOCK.finditer(section) if match[1] == "text"]
    if len(blocks) != 1:
        return None
    return section[:blocks[0].start(2)] + "\n".join(printed) + "\n" + section[blocks[0].end(2):]


def main():
    arguments = sys.argv[1:]
    update = arguments[0] == "--update"
    millrace, *pages = arguments[update:]
    wrong = 0
    for name in pages:
        path = pathlib.Path(name)
        page, ran = path.read_text(), 0
        for _, section in reversed(list(sections(page))):
            ran += 1
            expected, printed = check(millrace, section)
            if expected == printed:
                continue
            mended = updated(section, printed) if update else None
            if mended is not None:
                page = page.replace(section, mended)
                continue
            wrong += 1
            title = section.splitlines()[0]
            print("\n".join(difflib.unified_diff(expected, printed, f"{name}: {title}", "what millrace run prints", lineterm="")))
        if update:
            path.write_text(page)
        print(f"{name}: {ran} sections with examples")
        wrong += ran == 0
    if wrong:
        print(f"{wrong} sections differ; where the page is behind: tests/docs/examples.py --update MILLRACE PAGE")
    return 1 if wrong else 0


sys.exit(main())
