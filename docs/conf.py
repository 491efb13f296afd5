"""Sphinx's settings for the site that `make site` builds; tools/site.py lays out what it reads.

The pages lie as in the repository; the reference is made of docstrings without importing anything;
notebooks are shown with the outputs that they carry.
"""

import os
from typing import Any

project = "Spinflow"
copyright = "BSD-3-Clause"
root_doc = "README"
html_title = "Spinflow"
html_theme = "furo"
html_copy_source = False
html_show_sphinx = False
exclude_patterns = ["package"]

extensions = ["myst_nb", "sphinx.ext.napoleon", "autoapi.extension"]

# Anchors of headings are those that a reader of the repository's pages follows.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
nb_execution_mode = "off"

autoapi_dirs = [os.environ["SPINFLOW_PACKAGE"]]
autoapi_root = "reference"
autoapi_add_toctree_entry = False
autoapi_keep_files = False
autoapi_member_order = "bysource"
autoapi_options = ["members", "undoc-members", "show-module-summary"]
autoapi_python_class_content = "both"
autoapi_ignore = ["*/__main__.py"]
autoapi_python_use_implicit_namespaces = True
# A name that several modules have leads to one of them; constants are not followed through imports.
suppress_warnings = ["ref.python", "autoapi.python_import_resolution"]
napoleon_google_docstring = True
napoleon_use_ivar = True
# In docstrings, single backticks set code.
default_role = "code"


def literal_blocks(*event: Any) -> None:
    """Let an indented block behind a colon be code, in the lines of a docstring."""
    lines: list[str] = event[-1]
    for place in range(len(lines) - 2):
        line, gap, block = lines[place : place + 3]
        if line.endswith(":") and not line.endswith("::") and not gap.strip():
            indent = len(line) - len(line.lstrip())
            if block.startswith(" " * (indent + 4)):
                lines[place] = line + ":"


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", literal_blocks, priority=100)
