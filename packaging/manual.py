#!/usr/bin/env python3
"""Makes the manual as static pages: packaging/manual.py OUTPUT_FOLDER.

The guide, the reference of the C API (from include/kvlight.h), settings, architecture, decisions and proofs, with a search
over all of them. Needs nothing but Python; the pages need nothing but a browser, and fetch nothing.

Two readers, then the pages: `Header` reads the shape in which our header is generated, and no other; `Markdown` reads what our
documents use of Markdown. Both stop at what they do not know, so that nothing is dropped silently. At the end every link is tried.
How it looks and what it does stand in manual/manual.css and manual/manual.js.
"""

import html
import itertools
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent

API = "api.html"
# Group, then file (or page), title in the side bar, what the start page says of it. The first is the page one lands on.
PLACES = [
    ("Start", [
        ("README.md", "Overview", ""),
        ("docs/CONCEPTS.md", "Concepts", "What is promised: ownership, threads, delivery, what is kept and for how long, batches, errors."),
    ]),
    ("Guide", [
        ("docs/GUIDE.md", "By programs", "Eleven programs in C, one for each thing that one wants to do."),
        ("docs/HOSTS.md", "Each host", "C++, Swift, Python, LuaJIT, Node, Ruby, Go, PHP: how a program of theirs looks."),
        ("docs/TUNING.md", "Tuning", "Which setting for which wish, and what to watch."),
    ]),
    ("Reference", [
        (API, "C API", "Every function, type and constant of the header."),
        ("docs/CONFIGURATION.md", "Settings", "Every setting with its range and its default."),
        ("docs/PERFORMANCE.md", "Performance", ""),
    ]),
    ("Inside", [
        ("ARCHITECTURE.md", "Architecture", ""),
        ("docs/adr", "Decisions", ""),
        ("docs/CONTRACT.md", "Contract", ""),
        ("CONTRIBUTING.md", "Contributing", ""),
    ]),
    ("Project", [
        ("CHANGELOG.md", "Changelog", ""),
        ("SECURITY.md", "Security", ""),
    ]),
]
DOCUMENTS = [path for _, group in PLACES for path, _, _ in group if path.endswith(".md")]
DECISIONS = "docs/adr"


def page_of(path):
    """The page that a document becomes; None for what is not in the manual."""
    if path == "README.md":
        return "index.html"
    known = DOCUMENTS + [f"{DECISIONS}/{file.name}" for file in decisions()]
    if path == DECISIONS:
        return "adr.html"
    if path in ("include/kvlight.h", API):
        return API
    return path.removeprefix("docs/").removesuffix(".md").replace("/", "-").lower() + ".html" if path in known else None


def decisions():
    return sorted((TOP / DECISIONS).glob("*.md"))


def slug(title):
    return "".join(c for c in title.lower() if c.isalnum() or c in " -_").replace(" ", "-")


def plain(text):
    return re.sub(r"[`*]", "", text)


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
        # Whether what was read last is a program.
        self.program = False

    def html(self):
        out = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip() and not line.startswith("```"):
                self.program = False
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
        before, self.at = self.program, end + 1
        # What a program prints stands below it.
        self.program = language in PROGRAMS
        of = " of" if before and language == "text" else ""
        return f'<div class="block{of}">{code_block(text, language or "text", self.names)}</div>'

    def a_heading(self, line):
        level = len(line) - len(line.lstrip("#"))
        title = line.lstrip("#").strip()
        self.at += 1
        rest = " ".join(part for part in self.lines[self.at : self.at + 4] if not part.startswith(("|", "`", "#")))
        self.index.add(plain(title), self.title if level > 1 else "page", f"{self.page}#{slug(title)}", re.sub(r"^- |[`*\[\]]", "", rest))
        return heading(level, slug(title), self.inline(title))

    def table(self):
        rows = []
        while self.at < len(self.lines) and self.lines[self.at].startswith("|"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", self.lines[self.at].strip().strip("|"))])
            self.at += 1
        # Columns of numbers stand to the right, as their second line says.
        sides = [' class="number"' if mark.endswith(":") else "" for mark in rows[1]]
        head = "".join(f"<th{side}>{self.inline(cell)}</th>" for side, cell in zip(sides, rows[0], strict=True))
        body = []
        for row in rows[2:]:
            first = re.fullmatch(r"`([a-z_]+\.[a-z_]+|[a-z_]+)`", row[0])
            anchor = f' id="{first[1]}"' if first and self.page == "configuration.html" else ""
            if anchor:
                self.index.add(first[1], "setting", f"{self.page}#{first[1]}", row[-1])
            cells = zip(sides, rows[0], row, strict=True)
            said = "".join(f'<td{side} data-head="{html.escape(plain(title))}">{self.inline(cell)}</td>' for side, title, cell in cells)
            body.append(f"<tr{anchor}>{said}</tr>")
        many = ' class="many"' if len(rows[0]) > 5 and max(len(cell) for row in rows for cell in row) > 80 else ""
        return f'<div class="wide"><table{many}><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'

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
                said = linked(html.escape(part, quote=False), self.names)
                if part in SETTINGS and "." not in part:
                    said = f'<a href="configuration.html#{part}">{part}</a>'
                out.append(f"<code>{said}</code>")
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


# ---- Code ---------------------------------------------------------------------------------------------------------------

LIKE_C = r"(?P<c>//[^\n]*|/\*.*?\*/)|(?P<s>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`[^`]*`)|(?P<k>^\s*\#\w+)|"
LIKE_SHELL = r"(?P<c>\#[^\n]*)|(?P<s>f?\"(?:\\.|[^\"\\\n])*\"|f?'(?:\\.|[^'\\\n])*'|<[\w.]+>)|(?P<k>(?!))|"
LIKE_LUA = r"(?P<c>--[^\n]*)|(?P<s>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')|(?P<k>(?!))|"
REST = r"(?P<n>(?<![\w.])\d[\w.']*)|(?P<w>[A-Za-z_]\w*)"
WORDS = {
    "c": "auto break case char const continue default do double else enum extern float for goto if inline int int32_t int64_t long NULL return short signed "
         "size_t sizeof static struct switch typedef uint8_t uint32_t uint64_t union unsigned void volatile while",
    "cpp": "auto bool break case catch char class co_await co_return const continue default do double else enum explicit extern false for if inline int long "
           "namespace new noexcept nullptr private public return size_t sizeof static struct switch template this throw true try typedef typename using void while",
    "swift": "any as async await case catch class do else enum extension false for func guard if import in init let nil private protocol public return self static "
             "struct switch throw throws true try var where while",
    "go": "any bool break case chan const continue default defer else error for func go if import int interface map nil package range return string struct "
          "switch true false type var",
    "js": "async await break case catch class const continue default else export false finally for from function if import in let new null of return static "
          "switch this throw true try typeof undefined while",
    "php": "array as catch class echo else false fn for foreach function if int new null public require return static string throw true try use while",
    "python": "and as assert async await break class continue def del elif else except False finally for from if import in is lambda None nonlocal not or "
              "pass raise return True try while with yield",
    "ruby": "begin class def do each else elsif end false if in module nil require require_relative rescue return self then true unless until while yield",
    "lua": "and break do else elseif end false for function if in local nil not or repeat require return then true until while",
    "cmake": "add_executable cmake_minimum_required find_package project target_link_libraries",
    "sh": "cd do done export for if in then fi",
}
PROGRAMS = set(WORDS) - {"sh", "cmake"}
SHAPES = {
    language: re.compile((LIKE_SHELL if language in ("python", "ruby", "sh", "cmake") else LIKE_LUA if language == "lua" else LIKE_C) + REST, re.S | re.M)
    for language in WORDS
}


def code_block(text, language, names, but=frozenset()):
    """Text of a language with its words told apart and the library's names leading to the reference."""
    if language not in WORDS and language != "text":
        raise SystemExit(f"manual: a block of {language}, which is not known")
    kind = html.escape(language)
    if language == "text":
        return f'<pre class="{kind}"><code>{html.escape(text, quote=False)}</code></pre>'
    out, at, words = [], 0, set(WORDS[language].split())
    for found in SHAPES[language].finditer(text):
        out.append(html.escape(text[at : found.start()], quote=False))
        at, said, what = found.end(), html.escape(found[0], quote=False), found.lastgroup
        if what == "w" and found[0] in names and found[0] not in but:
            out.append(f'<a href="{API}#{said}">{said}</a>')
        elif what == "w" and found[0] not in words:
            out.append(said)
        else:
            out.append(f'<span class="{"k" if what == "w" else what}">{said}</span>')
    out.append(html.escape(text[at:], quote=False))
    return f'<pre class="{kind}"><code>{"".join(out)}</code></pre>'


def heading(level, anchor, inside):
    mark = f'<a class="anchor" href="#{anchor}" aria-label="Link to this place">#</a>' if level > 1 else ""
    return f'<h{level} id="{anchor}">{inside}{mark}</h{level}>'


# ---- The header ---------------------------------------------------------------------------------------------------------


SETTINGS = {key["name"] for key in json.loads((TOP / "src/ffi/config_keys.json").read_text(encoding="utf-8"))}


def linked(escaped, names):
    """Names of the library in text that is HTML already become links into the reference, and names of settings into their list."""
    escaped = re.sub(
        r"\b[a-z]+\.[a-z_]+\b", lambda m: f'<a href="configuration.html#{m[0]}">{m[0]}</a>' if m[0] in SETTINGS else m[0], escaped)
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
            out.append(heading(2, slug(about(title)), title))
            index.add(title, "C API", f"{API}#{slug(about(title))}", " ".join(lines))
            out.append(self.chapter(lines))
        for title, items in self.sections:
            out.append(heading(2, slug(title), html.escape(title)))
            index.add(title, "C API", f"{API}#{slug(title)}")
            functions = [(name, said) for name, said, declaration in items if not declaration.startswith("#")]
            if len(functions) > 2:
                rows = "".join(f'<li><a href="#{name}"><code>{name}</code></a><span>{self.say(first_sentence(said))}</span></li>' for name, said in functions)
                out.append(f'<ul class="names">{rows}</ul>')
            constants = []
            for name, said, declaration in items:
                if declaration.startswith("#"):
                    constants.append(self.constant(name, said, declaration))
                    kind = "status" if title == STATUSES and not name.startswith("KVL_VERSION") else "constant"
                else:
                    out += self.table_of(constants)
                    out.append(self.item(name, said, declaration))
                    kind = "type" if declaration.startswith("typedef") else "function"
                index.add(name, kind, f"{API}#{name}", said.split("\n\n")[0].split("\n@")[0])
            out += self.table_of(constants)
        return "\n".join(out)

    def chapter(self, lines):
        """Words with what they mean, two blanks between them, become a list; each statement else a point of its own."""
        out = []
        for line in lines:
            word = re.fullmatch(r" +(\w+) {2,}(\S.*)", line)
            text = line.strip()
            if word:
                out.append(("dt", word[1], [word[2]]))
            elif text and out and (not out[-1][2][-1].endswith(".") or line.startswith("           ")):
                out[-1][2].append(text)
            elif text:
                out.append(("li", None, [text]))
        parts = []
        for kind, group in itertools.groupby(out, key=lambda each: each[0]):
            if kind == "dt":
                said = "".join(f'<dt><span class="tag {name}">{name}</span></dt><dd>{self.say(" ".join(words))}</dd>' for _, name, words in group)
                parts.append(f'<dl class="chapter">{said}</dl>')
            else:
                parts.append("<ul>" + "".join(f"<li>{self.say(' '.join(words))}</li>" for _, _, words in group) + "</ul>")
        return "\n".join(parts)

    def say(self, text, but=frozenset()):
        text = re.sub(r"`([^`]+)`", r"<code>\1</code>", linked(html.escape(text, quote=False), self.names - but))
        return re.sub(r"\[((?:borrowed|copied|retained|owned|out)\b[^\]]*)\]", r'<span class="own">\1</span>', text)

    def constant(self, name, said, declaration):
        value = html.escape(declaration.split(None, 2)[2].strip("()"))
        return f'<tr id="{name}"><td><a href="#{name}"><code>{name}</code></a></td><td><code>{value}</code></td><td>{self.say(said, {name})}</td></tr>'

    @staticmethod
    def narrow(declaration):
        """A function of many parameters has one on each line, so that it can be read on a phone."""
        function = re.fullmatch(r"(?s)([^(]+?)\(([^()]*)\);", declaration)
        if not function or len(declaration) < 70 and "\n" not in declaration:
            return declaration
        parameters = ",\n    ".join(" ".join(each.split()) for each in function[2].split(","))
        return f"{' '.join(function[1].split())}(\n    {parameters}\n);"

    @staticmethod
    def table_of(constants):
        """What was collected, as a table; nothing is left collected."""
        rows = "".join(constants)
        constants.clear()
        return [f'<div class="wide"><table class="constants"><tbody>{rows}</tbody></table></div>'] if rows else []

    def item(self, name, said, declaration):
        say = lambda text: self.say(" ".join(text.split()), {name})
        text, *tags = re.split(r"\n?@(?=param|return|threads|since)", said)
        tags = [tuple(tag.split(None, 1)) for tag in tags]
        words = [f'<span class="tag {word.strip()}">{word.strip()}</span>' for tag, rest in tags if tag == "threads" for word in re.split(r"[,;]", rest)]
        words += [f'<span class="tag">since {rest.strip()}</span>' for tag, rest in tags if tag == "since"]
        mark = f'<a class="anchor" href="#{name}" aria-label="Link to this place">#</a>'
        out = [f'<section class="item" id="{name}"><h3><a href="#{name}">{name}</a>{"".join(words)}{mark}</h3>']
        code = self.narrow(re.sub(r"^KVL_API\s+", "", declaration))
        out.append(f'<div class="block">{code_block(code, "c", self.names, {name})}</div>')
        out += [f"<p>{say(part)}</p>" for part in text.strip().split("\n\n") if part.strip()]
        parameters = [re.fullmatch(r"(?s)(\w+)\s+(.*)", rest.strip()) for tag, rest in tags if tag == "param"]
        if parameters:
            rows = "".join(f"<dt><code>{found[1]}</code></dt><dd>{say(found[2])}</dd>" for found in parameters)
            out.append(f'<dl class="parameters">{rows}</dl>')
        out += [f'<p class="returns"><b>Returns</b> {say(rest)}</p>' for tag, rest in tags if tag == "return"]
        return "\n".join(out) + "</section>"


STATUSES = "Version of this header, statuses"


def first_sentence(said):
    return re.split(r"(?<=[.:])\s", " ".join(said.split("\n\n")[0].split("\n@")[0].split()), maxsplit=1)[0].rstrip(":")


# ---- Pages --------------------------------------------------------------------------------------------------------------

VERSION = re.search(r'(?m)^version = "(.+)"', (TOP / "Cargo.toml").read_text(encoding="utf-8"))[1]
ICON = '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{}</svg>'
MENU = ICON.format('<path d="M4 7h16M4 12h16M4 17h16"></path>')
THEME = ICON.format('<circle cx="12" cy="12" r="8"></circle><path d="M12 4a8 8 0 0 1 0 16z" fill="currentColor"></path>')
LOGO = ICON.format('<rect x="3" y="4" width="18" height="16" rx="4"></rect><path d="M13 7l-4 6h6l-4 5"></path>')


def contents(body):
    """What is on a page: its chapters, and below each its functions or smaller headings."""
    out, below = [], []
    for found in re.finditer(r'<h([23])(?: id="([^"]+)")?>(.*?)</h\1>|<section class="item" id="([^"]+)"', body):
        anchor = found[4] or found[2]
        text = found[4] or re.sub(r"<[^>]+>", "", found[3].split('<a class="anchor"')[0])
        if not anchor:
            continue
        link = f'<a href="#{anchor}">{text}</a>'
        if found[1] == "2":
            below = []
            out.append((link, below))
        else:
            below.append(link)
    sub = lambda links: "<ul>" + "".join(f"<li>{link}</li>" for link in links) + "</ul>" if links else ""
    return "<ul>" + "".join(f"<li>{link}{sub(links)}</li>" for link, links in out) + "</ul>" if out else ""


def page(title, body, here):
    side, places = [], [(page_of(path), name) for _, group in PLACES for path, name, _ in group]
    for group, entries in PLACES:
        side.append(f"<b>{group}</b>")
        for path, name, _ in entries:
            current = ' aria-current="page"' if page_of(path) == here else ""
            side.append(f'<a href="{page_of(path)}"{current}>{name}</a>')
    at = next(i for i, (address, _) in enumerate(places) if address == here)
    turn = "".join(f'<a href="{places[i][0]}"><small>{word}</small>{places[i][1]}</a>' for i, word in ((at - 1, "Before"), (at + 1, "Next")) if 0 <= i < len(places))
    on_it = contents(body)
    if on_it:
        # Where there is no room beside the text, behind its title.
        folded = f'<details class="contents"><summary>On this page</summary>{on_it}</details>'
        body = body.replace("</h1>", "</h1>" + folded, 1)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)} - kvlight</title><link rel=\"stylesheet\" href=\"manual.css\">"
        f'<script>try {{ const theme = localStorage.getItem("theme"); if (theme) document.documentElement.dataset.theme = theme; }} catch {{}}</script>'
        f'<noscript><style>nav.manual {{ display: block !important; position: static !important; }}</style></noscript></head>\n'
        f'<body><a class="skip" href="#main">To the text</a><header><button id="menu" aria-label="Menu" aria-expanded="false">{MENU}</button>'
        f'<a class="name" href="index.html">{LOGO}kvlight <small>{VERSION}</small></a>'
        f'<div class="search"><input id="search" type="search" placeholder="Search" aria-label="Search the manual" autocomplete="off" spellcheck="false">'
        f'<kbd>/</kbd><div id="found" role="listbox" hidden></div></div>'
        f'<button id="theme" aria-label="Light or dark">{THEME}</button></header>\n'
        f'<div class="columns"><nav class="manual" aria-label="The manual">{"".join(side)}</nav>\n'
        f'<main id="main"><article>\n{body}\n<div class="turn">{turn}</div></article></main>\n'
        f'<nav class="page" aria-label="On this page">{"<b>On this page</b>" + on_it if on_it else ""}</nav></div>'
        f'<script src="manual.js"></script></body></html>\n'
    )


def cards():
    """What the start page leads to."""
    said = [(page_of(path), name, about) for _, group in PLACES for path, name, about in group if about]
    return '<div class="cards">' + "".join(f'<a href="{address}"><b>{name}</b><span>{about}</span></a>' for address, name, about in said) + "</div>"


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
    left_out = {str(path.relative_to(TOP)) for path in (TOP / "docs").glob("*.md")} - set(DOCUMENTS)
    if left_out:
        raise SystemExit(f"manual: it has no page for {', '.join(sorted(left_out))}")
    for path in DOCUMENTS:
        document = Markdown(path, header.names, index)
        body = document.html()
        if document.page == "index.html":
            body = body.replace("</p>", "</p>" + cards(), 1)
        pages[document.page] = page(document.title, body, document.page)
    pages[API] = page("C API", header.html(index), API)
    index.add("C API", "page", f"{API}#the-c-api")
    listed = []
    for file in decisions():
        document = Markdown(f"{DECISIONS}/{file.name}", header.names, index)
        pages[document.page] = page(document.title, document.html(), "adr.html")
        listed.append(f'<li><a href="{document.page}">{html.escape(document.title)}</a></li>')
    pages["adr.html"] = page("Decisions", '<h1 id="decisions">Decisions</h1><p>What somebody will want to undo, and why it was decided so.</p><ul>'
                             + "".join(listed) + "</ul>", "adr.html")
    index.add("Decisions", "page", "adr.html#decisions")
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
    beside = TOP / "packaging/manual"
    entries = json.dumps(index.entries, ensure_ascii=False, separators=(",", ":"))
    (out / "manual.css").write_text((beside / "manual.css").read_text(encoding="utf-8"), encoding="utf-8")
    (out / "manual.js").write_text(f"const INDEX = {entries};\n" + (beside / "manual.js").read_text(encoding="utf-8"), encoding="utf-8")
    print(f"{len(pages)} pages, {len(header.names)} names of the header, {len(index.entries)} places to find")


if __name__ == "__main__":
    main()
