"""Every relative link of the pages leads to a file, and to a heading where it names one; every page that a source names is there:
links.py ROOT"""
import pathlib
import re
import sys

SOURCES = (".h", ".cpp", ".py", ".sh", ".txt", ".cmake", ".g4", ".md")


def files(root):
    for path in sorted(root.rglob("*")):
        if path.suffix in SOURCES and path.relative_to(root).parts[0] not in ("build", ".git") and path.is_file():
            yield path


def anchors(path):
    for title in re.findall(r"^#+ (.*)$", path.read_text(), re.M):
        text = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title.lower())
        yield re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def broken_links(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in set(anchors(target))):
            yield link


def missing_pages(path, root):
    for name in re.findall(r"(?<![\w*{}])[\w./-]+\.md\b", path.read_text()):
        if not any((folder / name).exists() for folder in (root, root / "docs", root / "tests", path.parent)):
            yield name


def main():
    root, wrong = pathlib.Path(sys.argv[1]), 0
    for path in files(root):
        found = broken_links(path) if path.suffix == ".md" else missing_pages(path, root)
        for name in found:
            print(f"{path.relative_to(root)}: {name} leads nowhere")
            wrong += 1
    return 1 if wrong else 0


sys.exit(main())
