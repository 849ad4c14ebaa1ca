"""How Sphinx makes the manual: `make docs`.

The source folder is the top of the checkout, so that the pages are the very documents that people read there. The reference of the C API comes from
include/kvlight.h by way of Doxygen and Breathe.
"""

import re
import subprocess
from pathlib import Path

from sphinx import addnodes

TOP = Path(__file__).resolve().parent.parent
HEADER = TOP / "include" / "kvlight.h"

project = "kvlight"
author = "the kvlight authors"
copyright = author
version = release = re.search(r'^version = "(.*)"', (TOP / "Cargo.toml").read_text(), re.M)[1]

extensions = ["myst_parser", "breathe"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/*.md", "docs/adr/*.md", "docs/api.rst", "bindings/*/README.md", "redis/README.md"]
exclude_patterns = ["target", "**/node_modules"]
templates_path = ["_templates"]

# Headings down to this level get the anchors that GitHub gives them.
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"kvlight {version}"
html_static_path = ["_static"]
html_css_files = ["kvlight.css"]
html_copy_source = False
html_show_sphinx = False
# target/docs/index.html leads to the first page.
html_additional_pages = {"index": "start.html"}

c_id_attributes = ["KVL_API"]
breathe_projects = {"kvlight": ""}
breathe_default_project = "kvlight"
breathe_domain_by_extension = {"h": "c"}
# Breathe declares the members of a struct without its name, so those of two structs can seem to be the same.
suppress_warnings = ["duplicate_declaration.c"]


def sections():
    """The titles in the banners of the header."""
    return re.findall(r"^/\* -{4} (.*?) -+ \*/$", HEADER.read_text(), re.M)


def group(title):
    """The name of a section's Doxygen group."""
    return re.sub(r"[^a-z]+", "_", title.lower()).strip("_")


def banner_to_group(match):
    """Ends the group before a banner and begins the banner's own."""
    title = match[1]
    return f"/** @}} */\n/** @defgroup {group(title)} {title}\n * @{{ */"


def read_header(out):
    """Runs Doxygen on a copy of the header whose banners open groups. Returns the folder with its XML."""
    out.mkdir(parents=True, exist_ok=True)
    text = HEADER.read_text()
    text = re.sub(r"^/\* -{4} (.*?) -+ \*/$", banner_to_group, text, flags=re.M).replace("/** @} */\n", "", 1)
    text = text.replace("\n#ifdef __cplusplus\n} // extern", "\n/** @} */\n#ifdef __cplusplus\n} // extern")
    (out / "kvlight.h").write_text(text)
    settings = f"""
PROJECT_NAME = kvlight
INPUT = {out / 'kvlight.h'}
OUTPUT_DIRECTORY = {out}
GENERATE_HTML = NO
GENERATE_LATEX = NO
GENERATE_XML = YES
OPTIMIZE_OUTPUT_FOR_C = YES
EXTRACT_ALL = YES
MACRO_EXPANSION = YES
EXPAND_ONLY_PREDEF = YES
PREDEFINED = KVL_API=
ALIASES = "threads=@par Threads:^^" "since=@par Since:^^"
TYPEDEF_HIDES_STRUCT = YES
QUIET = YES
WARNINGS = NO
"""
    subprocess.run(["doxygen", "-"], input=settings, text=True, check=True)
    return str(out / "xml")


def add_reference(_app, docname, source):
    """Appends the sections of the header to docs/api.rst, which lists none by hand."""
    if docname == "docs/api":
        for title in sections():
            source[0] += f"\n{title}\n{'-' * len(title)}\n\n.. doxygengroup:: {group(title)}\n   :content-only:\n   :members:\n   :undoc-members:\n"


def unlink_the_outside(app, doctree):
    """Turns links to files and folders that are no pages of the manual into text. Their targets must exist all the same."""
    pages = app.env.found_docs
    for node in list(doctree.findall(addnodes.pending_xref)):
        target = node.get("reftarget", "").split("#")[0]
        beside = TOP / Path(app.env.docname).parent
        exists = any((folder / (target + ending)).exists() for folder in (beside, TOP) for ending in ("", ".md"))
        if target and exists and target not in pages:
            node.replace_self(node.children)


def setup(app):
    breathe_projects["kvlight"] = read_header(Path(app.doctreedir).parent / "doxygen")
    app.config.breathe_projects = breathe_projects
    app.connect("source-read", add_reference)
    app.connect("doctree-read", unlink_the_outside)
