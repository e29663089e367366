"""The site that scripts/site makes is whole: each link leads somewhere within it, and no page, block of code or word of the header is lost.

    site.py SYMBOLS
"""

import html.parser
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse

PROJECT = pathlib.Path(__file__).resolve().parent.parent
sys.dont_write_bytecode = True
sys.path += [str(PROJECT / "docs/site"), str(PROJECT / "scripts")]
from manual import Header, results_of  # noqa: E402
from markdown_page import Page, all_pages  # noqa: E402

complaints = []


class Html(html.parser.HTMLParser):
    """The links, anchors, blocks of code and text of a page; the text is what is in <main>."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors, self.blocks, self.text, self.within = [], set(), 0, "", False
        self.feed(text)
        self.words = set(words_of(self.text))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.within |= tag == "main"
        self.blocks += tag == "pre"
        if "id" in attributes:
            self.anchors.add(attributes["id"])
        self.links += [attributes[name] for name in ("href", "src") if name in attributes]

    def handle_data(self, data):
        if self.within:
            self.text += data


def words_of(text):
    return re.findall(r"\w+", text.lower())


def links_lead_somewhere(site, pages):
    for name, page in pages.items():
        for link in page.links:
            if re.match(r"https?:", link):
                continue
            path, _, anchor = urllib.parse.unquote(link).partition("#")
            target = ((site / name).parent / path).resolve() if path else site / name
            if not target.is_file() or not target.is_relative_to(site):
                complaints.append(f"{name}: {link} is missing")
            elif anchor and anchor not in pages[str(target.relative_to(site))].anchors:
                complaints.append(f"{name}: {link} has no such heading")


def every_page_is_there(pages):
    for name, text in all_pages().items():
        if name.startswith("."):
            continue
        made = pages.get(re.sub(r"(^|/)README\.md$", r"\1index.md", name).removesuffix(".md") + ".html")
        if made is None:
            complaints.append(f"{name} has no page")
        elif (blocks := len(Page(text).code)) != made.blocks:
            complaints.append(f"{name} has {blocks} blocks of code, and its page has {made.blocks}")


def has_the_words(pages, name, *texts):
    page = pages.get(f"api/{name}.html")
    if page is None:
        complaints.append(f"{name} has no page")
    elif lost := set(words_of(" ".join(texts))) - page.words:
        complaints.append(f"api/{name}.html lacks {sorted(lost)}")


def the_header_is_there(pages, symbols):
    header = Header((PROJECT / "include/netstack_websocket.h").read_text(encoding="utf-8"))
    if sorted(header.functions) != sorted(line.split()[0] for line in symbols.read_text().splitlines()):
        complaints.append("The header's functions are not those of the list")
    for name, entry in header.functions.items():
        params = [word for param, what in entry.params for word in (param, *what)]
        results = [word for result in results_of(header, entry)[0] or [] for word in result]
        tags = [line for lines in entry.tags.values() for line in lines]
        has_the_words(pages, name, entry.declaration, *entry.about, *params, *results, *tags)
    for name, entry in header.structs.items():
        members = header.members(name)
        has_the_words(pages, name, *entry.about, *(declaration for declaration, _ in members), *(it for _, member in members for it in member.about))
    for name, entry in header.codes.items():
        has_the_words(pages, "constants", entry.declaration, *entry.about)
    overview = re.sub(r"^ \*", "", header.overview[header.overview.index(" * Objects."):], flags=re.M)
    has_the_words(pages, "index", overview, *header.functions, *header.structs)


with tempfile.TemporaryDirectory(prefix="nsws-site-") as folder:
    site = pathlib.Path(folder).resolve() / "site"
    subprocess.run([sys.executable, PROJECT / "docs/site/build.py", site], check=True)
    pages = {str(path.relative_to(site)): Html(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    links_lead_somewhere(site, pages)
every_page_is_there(pages)
the_header_is_there(pages, pathlib.Path(sys.argv[1]))
sys.exit("\n".join(complaints) or None)
