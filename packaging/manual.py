#!/usr/bin/env python3
"""Makes the manual as static pages: packaging/manual.py OUTPUT_FOLDER.

The guide, the reference of the C API (from include/kvlight.h), settings, architecture, decisions and proofs, with a search
over all of them. Needs nothing but Python; the pages need nothing but a browser, and fetch nothing.

Two readers, then the pages: `Header` reads the shape in which our header is generated, and no other; `Markdown` reads what our
documents use of Markdown. Both stop at what they do not know, so that nothing is dropped silently. At the end every link is tried.
"""

import html
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent

# File, title in the side bar. The first is the page one lands on.
DOCUMENTS = [
    ("README.md", "Overview"),
    ("docs/GUIDE.md", "Guide"),
    ("docs/CONFIGURATION.md", "Settings"),
    ("ARCHITECTURE.md", "Architecture"),
    ("docs/PERFORMANCE.md", "Performance"),
    ("docs/PROOF.md", "Proof"),
    ("CONTRIBUTING.md", "Contributing"),
    ("CHANGELOG.md", "Changelog"),
    ("SECURITY.md", "Security"),
]
DECISIONS = "docs/adr"
API = "api.html"


def page_of(path):
    """The page that a document becomes; None for what is not in the manual."""
    if path == "README.md":
        return "index.html"
    known = [file for file, _ in DOCUMENTS] + [f"{DECISIONS}/{file.name}" for file in decisions()]
    if path == DECISIONS:
        return "adr.html"
    if path == "include/kvlight.h":
        return API
    return path.removeprefix("docs/").removesuffix(".md").replace("/", "-").lower() + ".html" if path in known else None


def decisions():
    return sorted((TOP / DECISIONS).glob("*.md"))


def slug(title):
    return "".join(c for c in title.lower() if c.isalnum() or c in " -_").replace(" ", "-")


def about(chapter):
    """What a chapter at the top of the header is called, where a section may have the same title."""
    return f"about {chapter}"


class Index:
    """What the search looks through."""

    def __init__(self):
        self.entries = []

    def add(self, name, kind, address, text=""):
        self.entries.append([name, kind, address, " ".join(text.split())[:240]])


# ---- Markdown -----------------------------------------------------------------------------------------------------------


class Markdown:
    def __init__(self, path, names, index):
        self.folder = Path(path).parent
        self.page = page_of(path)
        self.names = names
        self.index = index
        self.lines = (TOP / path).read_text(encoding="utf-8").splitlines()
        self.at = 0
        self.title = next(line.lstrip("# ") for line in self.lines if line.startswith("# "))
        self.heading = None

    def html(self):
        out = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if not line.strip() or line.startswith("<!-- "):
                self.at += 1
            elif line.startswith("```"):
                out.append(self.fence(line[3:].strip()))
            elif line.startswith("#"):
                out.append(self.a_heading(line))
            elif line.startswith("|"):
                out.append(self.table())
            elif re.match(r"(-|\d+\.) ", line):
                out.append(self.a_list("ol" if line[0].isdigit() else "ul"))
            else:
                out.append("<p>" + self.inline(" ".join(self.until_blank())) + "</p>")
        return "\n".join(out)

    def until_blank(self):
        taken = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if not line.strip() or line.startswith(("```", "#", "|")) or taken and re.match(r"(- |1\. )", line):
                break
            taken.append(line.strip())
            self.at += 1
        return taken

    def fence(self, language):
        self.at += 1
        end = next(i for i in range(self.at, len(self.lines)) if self.lines[i].startswith("```"))
        text = "\n".join(self.lines[self.at : end])
        self.at = end + 1
        return f'<pre class="{html.escape(language or "text")}"><code>{linked(html.escape(text, quote=False), self.names)}</code></pre>'

    def a_heading(self, line):
        level = len(line) - len(line.lstrip("#"))
        title = line.lstrip("#").strip()
        self.at += 1
        rest = " ".join(part for part in self.lines[self.at : self.at + 4] if not part.startswith(("|", "`", "#")))
        self.index.add(re.sub(r"[`*]", "", title), self.title if level > 1 else "page", f"{self.page}#{slug(title)}", re.sub(r"[`*\[\]]", "", rest))
        return f'<h{level} id="{slug(title)}">{self.inline(title)}</h{level}>'

    def table(self):
        rows = []
        while self.at < len(self.lines) and self.lines[self.at].startswith("|"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", self.lines[self.at].strip().strip("|"))])
            self.at += 1
        head = "".join(f"<th>{self.inline(cell)}</th>" for cell in rows[0])
        body = []
        for row in rows[2:]:
            first = re.fullmatch(r"`([a-z_]+\.[a-z_]+|[a-z_]+)`", row[0])
            anchor = f' id="{first[1]}"' if first and self.page == "configuration.html" else ""
            if anchor:
                self.index.add(first[1], "setting", f"{self.page}#{first[1]}", row[-1])
            body.append(f"<tr{anchor}>" + "".join(f"<td>{self.inline(cell)}</td>" for cell in row) + "</tr>")
        return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'

    def a_list(self, kind):
        items = []
        mark = re.compile(r"\d+\. " if kind == "ol" else r"- ")
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if mark.match(line):
                items.append([mark.sub("", line, count=1)])
            elif line.startswith("  ") and line.strip() or line.strip() and items and not re.match(r"```|#|\||- |\d+\. ", line):
                items[-1].append(line.strip())
            else:
                break
            self.at += 1
        return f"<{kind}>" + "".join(f"<li>{self.inline(' '.join(item))}</li>" for item in items) + f"</{kind}>"

    def inline(self, text):
        out = []
        for i, part in enumerate(re.split(r"`([^`]+)`", text)):
            if i % 2:
                out.append("<code>" + linked(html.escape(part, quote=False), self.names) + "</code>")
            else:
                part = html.escape(part, quote=False)
                part = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", part)
                part = re.sub(r"(?<![\w*])\*(?!\s)([^*]+?)\*(?![\w*])", r"<em>\1</em>", part)
                out.append(part)
        text = "".join(out)
        return re.sub(r"\[((?:[^\[\]]|<code>.*?</code>)+)\]\(([^)\s]+)\)", lambda m: self.link(m[1], m[2]), text)

    def link(self, text, target):
        # A name in a link's text is no link of its own.
        text = re.sub(r"</?a[^>]*>", "", text)
        if "://" in target or target.startswith("#"):
            return f'<a href="{target}">{text}</a>'
        file, _, anchor = target.partition("#")
        path = str((TOP / self.folder / file).resolve().relative_to(TOP))
        page = page_of(path)
        if page is None:
            # A source file: the manual does not hold it.
            return f'<span class="source" title="{html.escape(path)} in the sources">{text}</span>'
        return f'<a href="{page}{"#" + anchor if anchor else ""}">{text}</a>'


# ---- The header ---------------------------------------------------------------------------------------------------------


def linked(escaped, names):
    """Names of the library in text that is HTML already become links into the reference."""
    return re.sub(r"\b(kvl_\w+|KVL_\w+)\b", lambda m: f'<a href="{API}#{m[1]}">{m[1]}</a>' if m[1] in names else m[1], escaped)


class Header:
    def __init__(self):
        self.text = (TOP / "include/kvlight.h").read_text(encoding="utf-8")
        self.chapters = self.read_chapters()
        self.sections = self.read_sections()
        self.names = {name for _, items in self.sections for name, _, _ in items}

    def read_chapters(self):
        comment = self.text[self.text.index("/*") + 2 : self.text.index("*/")]
        lines = [line.strip()[1:].removeprefix(" ") for line in comment.splitlines() if line.strip().startswith("*")]
        chapters, title = [], None
        for line in lines:
            if re.fullmatch(r"[A-Z][A-Z ]+", line):
                title = line.capitalize()
                chapters.append((title, []))
            elif title is not None:
                chapters[-1][1].append(line)
        return chapters

    def read_sections(self):
        parts = re.split(r"/\* ---- (.+?) -+ \*/\n", self.text)
        return [(title, list(self.read_items(body))) for title, body in zip(parts[1::2], parts[2::2])]

    def read_items(self, body):
        lines, at = body.splitlines(), 0
        while at < len(lines):
            if not lines[at].startswith("/**"):
                if lines[at].strip() and not re.match(r"#(ifdef|endif)|\} /\* extern", lines[at]):
                    raise SystemExit(f"manual: a declaration without a comment: {lines[at]}")
                at += 1
                continue
            comment = []
            while True:
                comment.append(lines[at])
                at += 1
                if comment[-1].rstrip().endswith("*/"):
                    break
            declaration = [lines[at]]
            at += 1
            while not declaration[0].startswith("#") and not self.is_whole(declaration):
                declaration.append(lines[at])
                at += 1
            said = "\n".join(re.sub(r"^\s*(/\*\*|\*(?!/))? ?|\s*\*/$", "", line) for line in comment).strip("\n")
            yield self.name_of("\n".join(declaration)), said, "\n".join(declaration)

    @staticmethod
    def is_whole(lines):
        text = re.sub(r"/\*.*?\*/", "", "\n".join(lines), flags=re.S)
        return text.count("{") == text.count("}") and text.rstrip().endswith(";")

    @staticmethod
    def name_of(declaration):
        for shape in (r"#define (\w+)", r"typedef .*\(\*(\w+)\)", r"(?s)typedef struct \w+ \{.*\} (\w+);", r"typedef .*?(\w+);", r"(kvl_\w+)\("):
            found = re.match(shape, declaration) if shape.startswith(("#", "typedef", "(?s)")) else re.search(shape, declaration)
            if found:
                return found[1]
        raise SystemExit(f"manual: what is this: {declaration}")

    def html(self, index):
        out = ['<h1 id="the-c-api">The C API</h1>', "<p>What <code>kvlight.h</code> says, and nothing else: the header is the specification.</p>"]
        for title, lines in self.chapters:
            out.append(f'<h2 id="{slug(about(title))}">{title}</h2>')
            index.add(title, "The C API", f"{API}#{slug(about(title))}", " ".join(lines))
            out.append(self.chapter(lines))
        for title, items in self.sections:
            out.append(f'<h2 id="{slug(title)}">{html.escape(title)}</h2>')
            for name, said, declaration in items:
                out.append(self.item(name, said, declaration))
                kind = "constant" if declaration.startswith("#") else "type" if declaration.startswith("typedef") else "function"
                index.add(name, kind, f"{API}#{name}", said.split("\n\n")[0].split("\n@")[0])
        return "\n".join(out)

    def chapter(self, lines):
        """Words with what they mean, two blanks between them, become a list; all else is a paragraph."""
        out, paragraph = [], []
        for line in lines + [""]:
            word = re.fullmatch(r" +(\w+) {2,}(\S.*)", line)
            if word:
                out.append(("dt", word[1], [word[2]]))
            elif out and out[-1][0] == "dt" and line.startswith("           ") and not paragraph:
                out[-1][2].append(line.strip())
            elif line.strip():
                paragraph.append(line.strip())
                continue
            if paragraph:
                out.insert(len(out) - (1 if word else 0), ("p", None, paragraph))
                paragraph = []
        say = lambda words: self.say(" ".join(words))
        return "\n".join(f"<dl><dt>{name}</dt><dd>{say(words)}</dd></dl>" if kind == "dt" else f"<p>{say(words)}</p>" for kind, name, words in out)

    def say(self, text, but=frozenset()):
        return re.sub(r"`([^`]+)`", r"<code>\1</code>", linked(html.escape(text, quote=False), self.names - but))

    def item(self, name, said, declaration):
        say = lambda text: self.say(text, {name})
        code = linked(html.escape(re.sub(r"^KVL_API\s+", "", declaration), quote=False), self.names - {name})
        if declaration.startswith("#define"):
            value = html.escape(declaration.split(None, 2)[2])
            return f'<div class="constant" id="{name}"><code>{name}</code> <code class="value">{value}</code> <span>{say(said)}</span></div>'
        text, *tags = re.split(r"\n?@(?=param|return|threads|since)", said)
        out = [f'<section class="item" id="{name}"><h3><a href="#{name}">{name}</a></h3>', f"<pre class=\"c\"><code>{code}</code></pre>"]
        out += [f"<p>{say(' '.join(part.split()))}</p>" for part in text.strip().split("\n\n") if part.strip()]
        parameters = [re.fullmatch(r"(?s)param (\w+)\s+(.*)", tag.strip()) for tag in tags if tag.startswith("param")]
        if parameters:
            rows = "".join(f"<dt><code>{found[1]}</code></dt><dd>{say(' '.join(found[2].split()))}</dd>" for found in parameters)
            out.append(f'<dl class="parameters">{rows}</dl>')
        for tag in tags:
            word, _, rest = tag.partition(" ")
            if word != "param":
                label = {"return": "Returns", "threads": "Threads", "since": "Since"}[word]
                out.append(f'<p class="tag"><b>{label}</b> {say(" ".join(rest.split()))}</p>')
        return "\n".join(out) + "</section>"


# ---- Pages --------------------------------------------------------------------------------------------------------------

STYLE = """
:root { color-scheme: light dark; --back: #fff; --side: #f6f7f9; --ink: #1d2129; --soft: #5b6270; --line: #dfe2e8; --link: #1d4ed8; --code: #f3f4f7; }
@media (prefers-color-scheme: dark) { :root { --back: #14161a; --side: #1a1d22; --ink: #e4e6ea; --soft: #9aa1ae; --line: #2c3038; --link: #7ab0ff; --code: #1e2228; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; display: grid; grid-template-columns: 15rem minmax(0, 1fr); }
nav { background: var(--side); border-right: 1px solid var(--line); padding: 1.2rem 1rem; height: 100vh; position: sticky; top: 0; overflow: auto; }
nav b { font-size: 1.1rem; } nav a { display: block; padding: .15rem 0; } nav a[aria-current] { font-weight: 600; } nav a.deep { padding-left: .9rem; font-size: .85rem; }
nav input { width: 100%; margin: .8rem 0 .4rem; padding: .4rem .6rem; border: 1px solid var(--line); border-radius: .4rem; background: var(--back); color: var(--ink); font: inherit; }
#found a { padding: .3rem 0; border-bottom: 1px solid var(--line); font-size: .9rem; overflow-wrap: anywhere; } #found small { color: var(--soft); display: block; }
main { padding: 1.5rem clamp(1rem, 4vw, 3.5rem) 6rem; max-width: 64rem; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; } :target { scroll-margin-top: 1rem; outline: 2px solid var(--link); outline-offset: .3rem; border-radius: .2rem; }
h1 { font-size: 1.7rem; } h2 { margin-top: 2.4rem; padding-bottom: .2rem; border-bottom: 1px solid var(--line); font-size: 1.25rem; } h3 { font-size: 1.02rem; margin: 0 0 .5rem; }
code, pre { font: .88em/1.5 ui-monospace, monospace; } code { background: var(--code); border-radius: .25rem; padding: .08em .3em; overflow-wrap: anywhere; }
pre { background: var(--code); padding: .8rem 1rem; border-radius: .5rem; overflow: auto; } pre code { padding: 0; background: none; overflow-wrap: normal; }
.wide { overflow: auto; } table { border-collapse: collapse; font-size: .92rem; } th, td { border: 1px solid var(--line); padding: .35rem .6rem; text-align: left; vertical-align: top; }
.item { margin: 1.8rem 0; padding-top: .4rem; } .parameters { display: grid; grid-template-columns: max-content 1fr; gap: .2rem .9rem; } dd { margin: 0 0 .3rem; } dl { margin: .4rem 0; }
.tag b { color: var(--soft); font-weight: 600; margin-right: .5rem; } .tag { margin: .25rem 0; } .constant { padding: .12rem 0; } .constant span { color: var(--soft); } .source { border-bottom: 1px dotted var(--soft); }
@media (max-width: 50rem) { body { display: block; } nav { position: static; height: auto; } }
"""

SCRIPT = """
"use strict";
const box = document.getElementById("search"), found = document.getElementById("found");
function look() {
  const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
  found.replaceChildren();
  if (!words.length) return;
  const hits = [];
  for (const [name, kind, address, text] of INDEX) {
    const low = name.toLowerCase(), all = low + " " + kind.toLowerCase() + " " + text.toLowerCase();
    if (!words.every(word => all.includes(word))) continue;
    // What is called so comes before what speaks of it.
    hits.push([words.every(word => low.includes(word)) ? (low.startsWith(words[0]) ? 0 : 1) : 2, low.length, name, kind, address, text]);
  }
  hits.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  for (const [, , name, kind, address, text] of hits.slice(0, 40)) {
    const link = document.createElement("a"), small = document.createElement("small");
    link.href = address;
    link.textContent = name;
    small.textContent = kind + (text ? ": " + text.slice(0, 110) : "");
    link.append(small);
    found.append(link);
  }
  if (!hits.length) found.textContent = "Nothing is called so, or speaks of it.";
}
box.addEventListener("input", look);
document.addEventListener("keydown", event => {
  if (event.key === "/" && document.activeElement !== box) { event.preventDefault(); box.focus(); }
  if (event.key === "Escape") { box.value = ""; look(); }
  if (event.key === "Enter" && document.activeElement === box) found.querySelector("a")?.click();
});
"""


def page(title, body, here, deep=()):
    places = [(page_of(path), name) for path, name in DOCUMENTS[:2]] + [(API, "C API")] + [(page_of(path), name) for path, name in DOCUMENTS[2:]]
    places.append(("adr.html", "Decisions"))
    side = []
    for address, name in places:
        current = ' aria-current="page"' if address == here else ""
        side.append(f'<a href="{address}"{current}>{name}</a>')
        if address == here:
            side += [f'<a class="deep" href="#{slug(part)}">{html.escape(part.removeprefix("about "))}</a>' for part in deep]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)} - kvlight</title><link rel=\"stylesheet\" href=\"style.css\"></head>\n<body><nav><b>kvlight</b>"
        f'<input id="search" type="search" placeholder="Search: /" aria-label="Search the manual"><div id="found"></div>{"".join(side)}</nav>\n'
        f'<main>\n{body}\n</main><script src="search.js"></script></body></html>\n'
    )


class Checker(HTMLParser):
    """Whether what was opened is closed, and where the links of a page lead."""

    ALONE = {"meta", "link", "input", "br"}

    def __init__(self, name, text):
        super().__init__()
        self.name, self.open, self.ids, self.links = name, [], set(), []
        self.feed(text)
        if self.open:
            raise SystemExit(f"manual: {name}: <{self.open[-1]}> is not closed")

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if "id" in attributes:
            if attributes["id"] in self.ids:
                raise SystemExit(f"manual: {self.name}: two places are called {attributes['id']}")
            self.ids.add(attributes["id"])
        if tag == "a":
            self.links.append(attributes["href"])
        if tag not in self.ALONE:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise SystemExit(f"manual: {self.name}: </{tag}> closes nothing")


def main():
    if len(sys.argv) != 2:
        raise SystemExit("usage: packaging/manual.py OUTPUT_FOLDER")
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    header, index, pages = Header(), Index(), {}
    for path, _ in DOCUMENTS:
        document = Markdown(path, header.names, index)
        body = document.html()
        deep = [line[3:] for line in document.lines if line.startswith("## ")] if path != "README.md" else []
        pages[document.page] = page(document.title, body, document.page, deep)
    pages[API] = page("C API", header.html(index), API, [about(title) for title, _ in header.chapters] + [title for title, _ in header.sections])
    listed = []
    for file in decisions():
        document = Markdown(f"{DECISIONS}/{file.name}", header.names, index)
        pages[document.page] = page(document.title, document.html(), "adr.html")
        listed.append(f'<li><a href="{document.page}">{html.escape(document.title)}</a></li>')
    pages["adr.html"] = page("Decisions", '<h1 id="decisions">Decisions</h1><p>What somebody will want to undo, and why it was decided so.</p><ul>'
                             + "".join(listed) + "</ul>", "adr.html")
    checked = {name: Checker(name, text) for name, text in pages.items()}
    for name, each in checked.items():
        for target in each.links:
            file, _, anchor = target.partition("#")
            if "://" not in target and (file or name not in checked or anchor) and (
                (file or name) not in checked or anchor and anchor not in checked[file or name].ids):
                raise SystemExit(f"manual: {name}: a link to {target}, which is nowhere")
    for entry in index.entries:
        file, _, anchor = entry[2].partition("#")
        if anchor not in checked[file].ids:
            raise SystemExit(f"manual: the search leads to {entry[2]}, which is nowhere")
    for name, text in pages.items():
        (out / name).write_text(text, encoding="utf-8")
    (out / "style.css").write_text(STYLE.lstrip(), encoding="utf-8")
    (out / "search.js").write_text(f"const INDEX = {json.dumps(index.entries, ensure_ascii=False, separators=(',', ':'))};\n" + SCRIPT.lstrip(), encoding="utf-8")
    print(f"{len(pages)} pages, {len(header.names)} names of the header, {len(index.entries)} places to find")


if __name__ == "__main__":
    main()
