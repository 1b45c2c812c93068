"""Every relative link of the pages leads to a file, and to a heading where it names one: links.py ROOT"""
import pathlib
import re
import sys


def pages(root):
    for path in sorted(root.rglob("*.md")):
        if path.relative_to(root).parts[0] != "build":
            yield path


def anchors(path):
    for title in re.findall(r"^#+ (.*)$", path.read_text(), re.M):
        text = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title.lower())
        yield re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def main():
    root, wrong = pathlib.Path(sys.argv[1]), 0
    for page in pages(root):
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"\w+:", link):
                continue
            name, _, anchor = link.partition("#")
            target = page.parent / name if name else page
            if not target.exists() or (anchor and anchor not in set(anchors(target))):
                print(f"{page.relative_to(root)}: {link} leads nowhere")
                wrong += 1
    return 1 if wrong else 0


sys.exit(main())
