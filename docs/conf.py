"""How the documentation is built: from Markdown and docstrings, strictly, and with no network."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

import zslearn

project = "zslearn"
author = copyright = "zslearn contributors"
version = release = zslearn.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
    "commands",
    "docstrings",
    "equations",
    "repository",
]
exclude_patterns = ["_build", "_extensions", "_templates"]
templates_path = ["_templates"]
nitpicky = True
# Every reference must lead somewhere; those to other projects would need their inventories, from the network.
nitpick_ignore_regex = [
    ("py:.*", rf"({'|'.join((*sys.stdlib_module_names, 'jaxtyping', 'matplotlib', 'numpy', 'sklearn', 'torch'))})\..*"),
    # What stands in annotations beside classes: names in short, the axes of shapes, type variables.
    (
        "py:class",
        r"Tensor|(np\.)?ndarray|Float|inf|Path|Image|tuple\[.*|'.*'|.*\._\w+|zslearn\.configuration\.Configuration",
    ),
]

myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {
    "members": True,
    "show-inheritance": True,
    # scikit-learn's own, described in its words and linked to its pages.
    "exclude-members": "set_fit_request, set_predict_request, set_predict_proba_request, set_score_request",
}
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_attr_annotations = False
# Docstrings write code in single backticks as well as in double ones.
default_role = "literal"

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": "make_data",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "notebook_extensions": set(),
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 3600,
}

html_theme = "pydata_sphinx_theme"
html_math_renderer = "mathml"
html_title = "zslearn"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"start": []}
html_context = {"default_mode": "auto"}
html_theme_options = {
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}


def setup(app: Sphinx) -> None:
    """Show tables as they are: Pygments has no lexer for them."""
    app.add_lexer("csv", TextLexer)
