"""Sphinx's settings for the site. Neither building nor reading it needs a network."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from pydantic import BaseModel
from sphinx.application import Sphinx

from t2i.version import __version__

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "t2i"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "_generated"]

html_theme = "furo"
html_title = "t2i"
html_static_path = ["_static"]
html_css_files = ["t2i.css"]
html_math_renderer = "mathml"
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
smartquotes = False  # "" in a docstring is an empty string

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
default_role = "literal"  # for text between single backticks in our docstrings

autoclass_content = "both"
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_inherit_docstrings = False
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_attr_annotations = False  # types are in the signature
napoleon_use_rtype = False

TITLED = re.compile(r'^```(\w+) title="([^"]+)"$', re.M)


def setup(app: Sphinx) -> None:
    """Connect the functions below to the build."""
    app.connect("builder-inited", generate)
    app.connect("source-read", show_titles)
    app.connect("autodoc-process-docstring", leave_out_inherited, priority=400)  # before napoleon reads it
    app.connect("autodoc-process-signature", leave_out_fields)
    app.add_html_math_renderer("mathml", (inline_formula, None), (formula, None))


def generate(app: Sphinx) -> None:
    """Generate the parts of the pages that come from the registry."""
    from generated import make

    make(HERE / "_generated")


def show_titles(app: Sphinx, page: str, source: list[str]) -> None:
    """A code block's title becomes its caption."""
    source[0] = TITLED.sub(r"```{code-block} \1\n:caption: \2\n", source[0])


def leave_out_inherited(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Leave out the docstring of an `__init__` that a class inherits from torch or pydantic."""
    if what == "class" and "__init__" not in vars(obj):
        lines[:] = [*inspect.cleandoc(obj.__doc__ or "").splitlines(), ""]


def leave_out_fields(app: Sphinx, what: str, name: str, obj: Any, *rest: Any) -> tuple[str, None] | None:
    """Leave a config's fields out of its signature; a table shows them."""
    return ("", None) if what == "class" and issubclass(obj, BaseModel) else None


def inline_formula(self: Any, node: nodes.Element) -> None:
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def formula(self: Any, node: nodes.Element) -> None:
    self.body.append(f'<div class="formula">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode
