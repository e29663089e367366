"""The repository's Markdown pages: links lead somewhere, to a heading too. README.md is short, and README_zh.md is the same in Chinese;
CONTRIBUTING.md has the minutes of each part of the tests."""

import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "docs/site"))
from markdown_page import PROJECT, Page, all_pages  # noqa: E402

MOST_LINES = 100
MOST_MINUTES = 75
complaints = []


def links_lead_somewhere(texts):
    pages = {name: Page(text) for name, text in texts.items()}
    checked = 0
    for name, page in pages.items():
        for link in page.links:
            if re.match(r"[a-z]+:", link):
                continue
            checked += 1
            path, _, anchor = link.partition("#")
            target = (PROJECT / name).parent / path if path else PROJECT / name
            if not target.exists():
                complaints.append(f"{name}: {link} is missing")
            elif anchor and anchor not in pages[str(target.resolve().relative_to(PROJECT))].anchors:
                complaints.append(f"{name}: {link} has no such heading")
    if checked < 100:
        complaints.append(f"Only {checked} links were found")


def is_one_page_in_two_languages(english, chinese):
    for name in (english, chinese):
        lines = len(texts[name].splitlines())
        if lines > MOST_LINES:
            complaints.append(f"{name} has {lines} lines; {MOST_LINES} are allowed")
    one, other = Page(texts[english]), Page(texts[chinese])
    if chinese not in one.links[:1] or english not in other.links[:1]:
        complaints.append(f"{english} and {chinese} don't link to each other first")

    def same(what, of):
        mine, theirs = of(one), of(other)
        if not mine and what != "numbers in tables":
            complaints.append(f"{english} has no {what}")
        for a, b in zip(mine + [None] * len(theirs), theirs + [None] * len(mine)):
            if a != b:
                complaints.append(f"{what}: {english} has {a!r}, and {chinese} has {b!r}")
                return

    same("headings", lambda page: [level for level, _ in page.headings])
    same("code", lambda page: [line for _, kind, text in page.code for line in (f"```{kind}", *text.splitlines())])
    same("links", lambda page: page.links[1:])
    same("numbers in tables", lambda page: [re.findall(r"\d[\d.,]*", row) for row in page.rows])


def is_merged(texts):
    for name, text in texts.items():
        complaints.extend(f"{name}: a conflict of a merge: {line}" for line in re.findall(r"(?m)^(?:<{7}|>{7}) .*", text))


def has_the_minutes_of_each_part(name, text):
    """What `scripts/test --all` does, and for how long: its parts, in its order."""
    parts = re.findall(r'(?m)^ *part "(.+)"$', (PROJECT / "scripts/test").read_text())
    parts.remove("ctest")  # without --all
    table = re.search(r"(?m)^\| part \| minutes \|\n\|[-|]+\|\n((?:\|.*\n)+)", text)[1]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]
    if [part for part, _ in rows] != parts:
        complaints.append(f"{name}: the table of minutes has {[part for part, _ in rows]}, and scripts/test has {parts}")
    total = sum(int(minutes) for _, minutes in rows)
    if total > MOST_MINUTES:
        complaints.append(f"{name}: the parts take {total} minutes; {MOST_MINUTES} are allowed")


texts = all_pages()
has_the_minutes_of_each_part("CONTRIBUTING.md", texts["CONTRIBUTING.md"])
is_merged(texts)
links_lead_somewhere(texts)
is_one_page_in_two_languages("README.md", "README_zh.md")
sys.exit("\n".join(complaints) or None)
