"""What is known of |E| over the conductivities, at the nodes of a head: mean, spread, width of the interval."""

from typing import Final

import numpy as np

from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER
from efield.planning.uncertain_measures import Uncertainty
from efield.viz.nodal import averaged

#: What can be drawn: the words of the bar, and its unit.
SHOWN: Final = {
    "mean": ("mean of |E|", "V/m"),
    "sd": ("SD of |E|", "V/m"),
    "width": ("|E|, 5 to 95 %: width", "V/m"),
    "share": ("SD of |E|, % of its mean", "%"),
}


def on_nodes(head: HeadMesh, sure: Uncertainty, show: str = "width") -> FloatArray:
    """(n,) what is known of |E| at the head's nodes: that of the tetrahedra around, gray matter before white.

    Parameters
    ----------
    head : HeadMesh
    sure : Uncertainty
        Made with ``region_mm``.
    show : {"mean", "sd", "width", "share"}
        The mean, the standard deviation, the width of the interval from 5 to 95 %, or the standard deviation in percent
        of the mean.

    Returns
    -------
    (n,) float
        nan beyond the region.

    Raises
    ------
    InputError
        If there is no map.
    """
    checks.choice("show", show, SHOWN)
    if sure.map is None:
        raise InputError("a map needs region_mm, such as uncertainty(..., region_mm=40); instead it was left out")
    table = sure.map
    tets = np.asarray(table["tet"].values)
    if len(tets) and tets.max() >= len(head.tets):
        raise InputError("the uncertainty must be of this head; instead it is of a larger one")
    mean, sd = np.asarray(table["mean"].values), np.asarray(table["sd"].values)
    width = np.asarray(table["p95"].values) - np.asarray(table["p5"].values)
    share = 100 * sd / np.where(mean > 0, mean, np.inf)
    values = {"mean": mean, "sd": sd, "width": width, "share": share}[show]
    found = np.full(len(head.points), np.nan)
    for tag in (WHITE_MATTER, GRAY_MATTER):
        own = head.tissue[tets] == tag
        found = np.where(np.isnan(known := averaged(head, tets[own], values[own])), found, known)
    return found
