"""The site: ``make -C docs html``, or ``python -m sphinx -W docs docs/_build/html``. Nothing is fetched.

``-D plot_gallery=0`` leaves the examples as text, which is what the check of every commit does.
"""

import sys
import warnings
from pathlib import Path

import matplotlib as mpl

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

import pyvista  # noqa: E402
from figures import FigureScraper, PlotterScraper  # noqa: E402

from efield.ground.version import __version__  # noqa: E402

mpl.use("agg")
pyvista.OFF_SCREEN = True
pyvista.BUILDING_GALLERY = True
# Examples call `plt.show()`, as people do; here pictures are kept and nothing is shown.
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")

project = "efield"
author = "the efield developers"
copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "reference_pages",
    "inner_links",
]
exclude_patterns = ["_build", "gallery/*.ipynb", "gallery/*.py", "gallery/*.md5", "**sg_execution_times.rst"]
nitpicky = False
suppress_warnings = ["config.cache"]  # the sorting keys of the gallery

# Markdown: every heading is a target, and `../LICENSE` or a folder of the checkout is named, not linked.
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Docstrings write |E|, which is a substitution to docutils.
rst_prolog = r"""
.. |E| replace:: \|E\|
.. |mean| replace:: \|mean\|
"""
autosummary_generate = True
numpydoc_show_class_members = False
autodoc_typehints = "none"  # docstrings say types, shapes and units

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"__init__\.py",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": ("matplotlib", FigureScraper(), PlotterScraper()),
    "reset_modules": (),
    "download_all_examples": False,
    "remove_config_comments": True,
    "capture_repr": ("_repr_html_",),  # what matplotlib's calls return says nothing
    "show_memory": False,
    "abort_on_example_error": True,
}

html_theme = "pydata_sphinx_theme"
html_title = f"efield {release}"
html_static_path: list[str] = []
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "efield"},
    "navbar_end": ["theme-switcher"],
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["medical.html"],
}
templates_path = ["_templates"]
