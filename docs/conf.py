"""Sphinx: MyST pages, the Furo theme, every warning an error."""

from __future__ import annotations

from importlib.metadata import version as installed_version

project = "Garrick"
author = copyright = "Garrick contributors"
release = version = installed_version("garrick")

extensions = ["myst_parser"]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
# Links to files outside of docs/ are for readers of the repository.
suppress_warnings = ["myst.xref_missing"]
nitpicky = True

html_theme = "furo"
html_title = "Garrick"
exclude_patterns = ["build"]
