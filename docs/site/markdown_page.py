"""What a Markdown page of this repository has, as GitHub reads it: headings with their anchors, blocks of code, links."""

import os
import pathlib
import re

PROJECT = pathlib.Path(__file__).resolve().parents[2]
NOT_OURS = {".git", "__pycache__", "build", "node_modules", "target", "vendor"}


class Anchors:
    """The anchors of a page's headings, in their order."""

    def __init__(self):
        self.taken = {}

    def of(self, heading):
        anchor = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        times = self.taken[anchor] = self.taken.get(anchor, -1) + 1
        return f"{anchor}-{times}" if times else anchor


class Page:
    """`headings` are (level, text); `code` is (the heading above, kind, text), where an indented block's kind is "indented"."""

    def __init__(self, text):
        self.headings, self.anchors, self.code, self.links, self.rows = [], [], [], [], []
        anchors, fence, kind, block, above = Anchors(), None, None, [], ""
        for line in text.splitlines():
            if fence is not None:
                if line.strip() == "```":
                    self.add_code(kind, block)
                    fence, block = None, []
                else:
                    block.append(line.removeprefix(fence))
            elif line.lstrip().startswith("```"):
                self.add_indented(block)
                block = []
                fence, kind = line.split("```", 1)
            elif (line.startswith("    ") and (block or not above)) or (block and not line):
                block.append(line[4:])
            else:
                self.add_indented(block)
                block = []
                self.add_prose(line, anchors)
            above = line
        self.add_indented(block)

    def add_indented(self, lines):
        if lines:
            self.add_code("indented", "\n".join(lines).rstrip("\n").split("\n"))

    def add_code(self, kind, lines):
        self.code.append((self.headings[-1][1] if self.headings else "", kind, "\n".join(lines) + "\n"))

    def add_prose(self, line, anchors):
        without_code = re.sub(r"`[^`]*`", "", line)
        self.links += re.findall(r"\]\(([^()\s]+)\)", without_code)
        if line.startswith("|"):
            self.rows.append(line)
        heading = re.match(r"(#+) (.*)", line)
        if heading:
            text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading[2])
            self.headings.append((len(heading[1]), text))
            self.anchors.append(anchors.of(text))


def all_pages():
    """The repository's Markdown pages, by their names in it. A release's README is no page here: its links are for its own folder."""
    found = {}
    paths = []
    # Not rglob(), which fails where folders come and go: in what is being built.
    for folder, folders, files in os.walk(PROJECT):
        folders[:] = set(folders) - NOT_OURS
        paths += [pathlib.Path(folder, file) for file in files if file.endswith(".md")]
    for path in sorted(paths):
        name = str(path.relative_to(PROJECT))
        if name != "scripts/release-readme.md":
            found[name] = path.read_text(encoding="utf-8")
    return found
