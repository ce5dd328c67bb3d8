"""How Sphinx builds the manual: `make docs`. Hyperparameters, help texts and the API are read from the code at each build."""

from __future__ import annotations

import os
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "_ext")]

project = "graphrouter"
author = "graphrouter contributors"
try:
    release = metadata.version("graphrouter")
except metadata.PackageNotFoundError:
    release = ""

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_nb", "from_code", "mathml"]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = ["_ext", "**.ipynb_checkpoints"]
default_role = "py:obj"  # docstrings write `name` with single backticks; "any" would refuse names of other packages
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the notebooks are committed with their output, and tests execute them

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # signatures show them
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = "graphrouter"
html_static_path = ["_ext/style.css"]
html_css_files = ["style.css"]
html_show_sourcelink = False
html_show_copyright = False
html_math_renderer = "mathml"
highlight_language = "text"
html_theme_options = {"footer_icons": []}

PAGES = {
    "benchmarks": "benchmarks/README.md",
    "contributing": "CONTRIBUTING.md",
    "experiments": "experiments/LOG.md",
    "regrade": "benchmarks/regrade.md",
    "results": "experiments/results/README.md",
}
"""Pages whose text stands elsewhere in the repository, where a reader of the code looks for it."""


def fill_in(app: Any, name: str, source: list[str]) -> None:
    """Put the text of another file in the place of a page, its links to Markdown made those of the manual."""
    if name not in PAGES:
        return
    file = DOCS.parent / PAGES[name]
    names = {(DOCS.parent / path).resolve(): f"{page}.md" for page, path in PAGES.items()}

    def link(found: re.Match[str]) -> str:
        target = (file.parent / found[2]).resolve()
        if target not in names and not target.is_relative_to(DOCS):
            return found[1]
        return f"[{found[1]}]({names.get(target) or os.path.relpath(target, DOCS)})"

    text = file.read_text(encoding="utf-8")
    source[0] = re.sub(r"\[([^\]]+)\]\((?!https?:|#)([^)#]+)[^)]*\)", link, text)


def setup(app: Any) -> None:
    """Connect the pages whose text stands elsewhere."""
    app.connect("source-read", fill_in)
