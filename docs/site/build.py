"""Makes a site of the repository's Markdown pages and of the C API's header. scripts/site calls it.

    build.py FOLDER     which is made anew

A page is where its Markdown is, so that relative links lead to the same things; README.md is its folder's index.html. What the pages
link to besides, sources and folders, is shown in pages as well. `api` has a page for each function and each struct.
"""

import html
import pathlib
import posixpath
import re
import shutil
import sys

from markdown_it import MarkdownIt

sys.dont_write_bytecode = True
from markdown_page import NOT_OURS, PROJECT, Anchors, all_pages  # noqa: E402

sys.path.append(str(PROJECT / "scripts"))
from manual import Header, callbacks_of, first_sentence, notes_of, overview_of, related, results_of  # noqa: E402

HEADER = "include/netstack_websocket.h"
API = "api/index.html"
CONTENTS = "docs/README.md"
TOP = [("README.md", "Start"), ("README_zh.md", "中文"), (CONTENTS, "Manual"), (HEADER, "API"), ("ohos/README.md", "OpenHarmony")]
PICTURES = {".svg", ".png"}


def place_of(name):
    """Where a Markdown page goes."""
    folder, file = posixpath.split(name)
    file = "index.html" if file == "README.md" else file.removesuffix(".md") + ".html"
    return posixpath.join(folder, file)


class Site:
    def __init__(self, folder):
        self.folder = folder
        self.texts = {name: text for name, text in all_pages().items() if not name.startswith(".")}
        self.header = Header((PROJECT / HEADER).read_text(encoding="utf-8"))
        self.markdown = MarkdownIt("commonmark").enable("table")
        self.names = self.api_names()
        self.shown, self.to_show = set(), []
        self.contents = self.links_of_contents()

    # Where names and links lead.

    def api_names(self):
        """The page of each name of the API; error codes have theirs in docs/errors.md."""
        names = {name: f"api/{name}.html" for name in [*self.header.functions, *self.header.structs]}
        names.update((name, f"api/constants.html#{name.lower()}") for name in self.header.codes)
        anchors = Anchors()
        for heading in re.findall(r"^#+ (.*)$", self.texts["docs/errors.md"], re.M):
            anchor, name = anchors.of(heading), heading.split(" ")[0]
            if name in names:
                names[name] = f"docs/errors.html#{anchor}"
        return names

    def link(self, name, target):
        """What stands in the site for a link in the Markdown page of that name."""
        if re.match(r"[a-z]+:", target):
            return target
        path, _, anchor = target.partition("#")
        anchor = anchor and "#" + anchor
        if not path:
            return anchor
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
        if (PROJECT / path).is_dir() and f"{path}/README.md" in self.texts:
            path = f"{path}/README.md"
        return self.relative(place_of(name), self.show(path)) + anchor

    def show(self, path):
        """Where a file or folder of the repository is shown."""
        if path in self.texts:
            return place_of(path)
        if path == HEADER:
            return API
        source = PROJECT / path
        if not source.exists():
            sys.exit(f"{path} is linked and is missing")
        if path not in self.shown:
            self.shown.add(path)
            self.to_show.append(path)
        if source.is_dir():
            return f"{path}/index.html"
        return path if source.suffix in PICTURES else f"{path}.html"

    @staticmethod
    def relative(place, target):
        path, hash_, anchor = target.partition("#")
        return posixpath.relpath(path, posixpath.dirname(place) or ".") + hash_ + anchor

    def links_of_contents(self):
        """The side of each page: (heading, [(page, text)]) of the table of contents."""
        parts = []
        for line in self.texts[CONTENTS].splitlines():
            item = re.match(r"- \[([^]]+)\]\(([^)]+)\)", line)
            if line.startswith("## "):
                parts.append((line[3:], []))
            elif item:
                parts[-1][1].append((posixpath.join(posixpath.dirname(CONTENTS), item[2]), item[1]))
        return parts

    # From Markdown to a page.

    def body(self, text, place, link):
        tokens = self.markdown.parse(text)
        anchors, title = Anchors(), None
        for index, token in enumerate(tokens):
            if token.type == "heading_open":
                inside = tokens[index + 1].children
                heading = "".join(child.content for child in inside if child.type in ("text", "code_inline"))
                token.attrSet("id", anchors.of(heading))
                title = title or heading
            elif token.type == "fence":
                token.info = token.info.split(" ")[0]
            elif token.type == "inline":
                token.children = list(self.linked(token.children, place, link))
        return title, self.markdown.renderer.render(tokens, self.markdown.options, {})

    def linked(self, children, place, link):
        """Links lead to pages; names of the API in code are links, too."""
        within = 0
        for child in children:
            if child.type == "link_open":
                child.attrSet("href", link(child.attrGet("href")))
                within += 1
            elif child.type == "link_close":
                within -= 1
            elif child.type == "image":
                child.attrSet("src", link(child.attrGet("src")))
            elif child.type == "code_inline" and not within:
                page = self.names.get(child.content.removesuffix("()"))
                if page:
                    child.type = "html_inline"
                    child.content = f'<a href="{self.relative(place, page)}"><code>{html.escape(child.content)}</code></a>'
            yield child

    def write(self, place, title, body):
        def item(page, text):
            target = self.show(page)
            here = ' aria-current="page"' if target == place else ""
            return f'<a href="{self.relative(place, target)}"{here}>{html.escape(text)}</a>'

        side = "".join(
            f"<h2>{html.escape(heading)}</h2>\n<ul>\n" + "".join(f"<li>{item(*it)}</li>\n" for it in items) + "</ul>\n"
            for heading, items in self.contents if items
        )
        language = "zh-CN" if place.startswith("README_zh") else "en"
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{html.escape(title)}</title>\n"
            f'<link rel="stylesheet" href="{self.relative(place, "style.css")}">\n</head>\n<body>\n'
            f'<header>{" ".join(item(*it) for it in TOP)}</header>\n<nav>\n{side}</nav>\n<main>\n{body}</main>\n</body>\n</html>\n',
            encoding="utf-8",
        )

    def write_markdown(self, name, text):
        place = place_of(name)
        title, body = self.body(text, place, lambda target: self.link(name, target))
        self.write(place, title or name, body)

    def write_source(self, path):
        source = PROJECT / path
        if source.suffix in PICTURES:
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, self.folder / path)
        elif source.is_dir():
            entries = sorted(it for it in source.iterdir() if it.name not in NOT_OURS and not it.name.startswith("."))
            place = f"{path}/index.html"
            lines = [f'<li><a href="{self.relative(place, self.show(f"{path}/{it.name}"))}">{html.escape(it.name)}</a></li>' for it in entries]
            self.write(place, path, f"<h1>{html.escape(path)}</h1>\n<ul>\n" + "\n".join(lines) + "\n</ul>\n")
        else:
            text = html.escape(source.read_text(encoding="utf-8", errors="replace"))
            self.write(f"{path}.html", path, f"<h1>{html.escape(path)}</h1>\n<pre><code>{text}</code></pre>\n")

    # The API.

    def write_api(self, name, lines):
        place = f"api/{name}.html"
        title, body = self.body("\n\n".join(filter(None, lines)) + "\n", place, lambda target: target)
        self.write(place, title, body)

    def function(self, name):
        entry = self.header.functions[name]
        results, sentence = results_of(self.header, entry)
        declarations = [self.header.callbacks[it].declaration for it in callbacks_of(self.header, entry)] + [entry.declaration]
        self.write_api(name, [
            f"# {name}", *map(prose, entry.about), fence("\n\n".join(declarations)),
            "## Parameters" if entry.params else "",
            bullets((f"`{param}`", " ".join(" ".join(what).split())) for param, what in entry.params),
            "## Returns", prose(sentence) if sentence else "",
            bullets((f"`{result}`", why) for result, why in results or []),
            "## Notes", *map(prose, notes_of(self.header, entry)), f"Since {entry.tag('since')}.",
            self.see_also(name, entry),
        ])

    def struct(self, name):
        entry = self.header.structs[name]
        lines = [f"# {name}", *map(prose, entry.about), "## Members"]
        for declaration, member in self.header.members(name):
            lines += [fence(" ".join(declaration.split())), *map(prose, member.about)]
            lines.append(f"Since {member.tag('since')}." if member.tag("since") else "")
        self.write_api(name, [*lines, "## Notes", f"Since {entry.tag('since')}.", self.see_also(name, entry)])

    def see_also(self, name, entry):
        names = related(self.header, name, entry)
        return "See also: " + ", ".join(f"`{it}`" for it in names) + "." if names else ""

    def api(self):
        for name in self.header.functions:
            self.function(name)
        for name in self.header.structs:
            self.struct(name)
        lines = ["# Constants"]
        for name, entry in self.header.codes.items():
            lines += [f"## {name}", fence(entry.declaration), *map(prose, entry.about)]
        self.write_api("constants", lines)
        self.write_api("index", [
            "# The C API", fence("#include <netstack_websocket.h>"),
            *(prose(text) if text else fence(program) for text, program in overview_of(self.header)),
            "## Functions", bullets((f"`{name}()`", first_sentence(it.about[0])) for name, it in self.header.functions.items()),
            "## Structs", bullets((f"`{name}`", first_sentence(it.about[0])) for name, it in self.header.structs.items()),
            "## Others", "- [Constants](constants.html)",
        ])

    def build(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        shutil.copy(PROJECT / "docs/site/style.css", self.folder)
        for name, text in self.texts.items():
            self.write_markdown(name, text)
        self.api()
        while self.to_show:
            self.write_source(self.to_show.pop())
        print(f"{self.folder}: {sum(1 for _ in self.folder.rglob('*.html'))} pages")


def fence(text):
    return f"```c\n{text}\n```"


def bullets(items):
    return "\n".join(f"- {name}: {prose(what)}" for name, what in items)


def prose(text):
    """A comment of the header as Markdown: its names as code, and what Markdown would take for markup as it stands."""
    out = []
    for part in re.split(r"(`[^`]*`|\bnsws_\w+\(\)|\b(?:nsws|NSWS)_\w+\*?)", text):
        if re.match(r"`|(nsws|NSWS)_", part):
            out.append(part if part.startswith("`") else f"`{part}`")
        else:
            out.append(re.sub(r"([\\<>\[\]_#|~])", r"\\\1", part))
    return "".join(out)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    Site(pathlib.Path(sys.argv[1]).resolve()).build()
