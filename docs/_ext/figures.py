"""Scrapers for sphinx-gallery: figures that pyplot does not know, as those of `efield.viz`, and plotters."""

from typing import Any

from matplotlib.figure import Figure
from pyvista.plotting.plotter import _ALL_PLOTTERS
from pyvista.plotting.utilities.sphinx_gallery import Scraper
from sphinx_gallery.scrapers import figure_rst


class FigureScraper:
    """Saves each such figure at the end of the cell that made it; those of pyplot have a number."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def __repr__(self) -> str:
        return "FigureScraper()"  # part of what decides whether a page is built anew

    def __call__(self, block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
        """The page's text for the figures of a cell."""
        paths = []
        for value in block_vars["example_globals"].values():
            if isinstance(value, Figure) and not hasattr(value, "number") and id(value) not in self._seen:
                self._seen.add(id(value))
                paths.append(next(block_vars["image_path_iterator"]))
                value.savefig(paths[-1])
        return str(figure_rst(paths, gallery_conf["src_dir"]))


class PlotterScraper(Scraper):
    """PyVista's own, without the plotters that drew a panel of a figure and are closed."""

    def __call__(self, block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
        """The page's text for the plotters of a cell."""
        for name, plotter in list(_ALL_PLOTTERS.items()):
            if plotter._closed and plotter.last_image is None:
                del _ALL_PLOTTERS[name]
        return str(super().__call__(block, block_vars, gallery_conf))
