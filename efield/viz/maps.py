"""Maps of a sweep over a grid, without OpenGL: the best value at each position, and the angle that gives it."""

import os
from typing import Final

import numpy as np
import xarray
from matplotlib.figure import Figure

from efield.ground.errors import InputError
from efield.ground.units import AMPERE_PER_MICROSECOND
from efield.head.mesh import HeadMesh
from efield.targeting.measures import turns
from efield.viz.map_panels import best_of_positions, draw_angles, draw_gyri, draw_values, frame
from efield.viz.page import LABEL_PT, new_page
from efield.viz.report import write_page

SIZE: Final = (2160, 1130)

#: Drawn unless another is asked for: the first of these that the sweep has and knows.
_PREFERRED: Final = ("along", "mean_magnitude", "mean_vector")

#: What the measures are called on a map.
_SHORT: Final = {
    "mean_magnitude": "mean |E|",
    "mean_vector": "|mean E|",
    "p50_magnitude": "median |E|",
    "p99_magnitude": "99th percentile of |E|",
    "max_magnitude": "maximum |E|",
    "along": "E along the preferred direction",
    "across": "E across the preferred direction",
    "angle": "angle to the preferred direction",
}


def save_sweep_map(
    path: str | os.PathLike[str],
    dataset: xarray.Dataset,
    *,
    measure: str | None = None,
    head: HeadMesh | None = None,
    size: tuple[int, int] = SIZE,
) -> None:
    """Draw the map of a sweep and write it.

    Parameters
    ----------
    path : path_like
        Written completely or not at all; the suffix names the format (``.png``, ``.pdf``, ``.svg``).
    dataset, measure, head, size
        As in `sweep_map`.

    Raises
    ------
    InputError
        As `sweep_map`, or if the suffix is another, or the file cannot be written.
    """
    write_page(path, lambda: sweep_map(dataset, measure=measure, head=head, size=size), "map")


def sweep_map(
    dataset: xarray.Dataset,
    *,
    measure: str | None = None,
    head: HeadMesh | None = None,
    size: tuple[int, int] = SIZE,
) -> Figure:
    """The best value at each position of a grid, and the coil angle that gives it.

    Seen from outside the head, anterior up; the midline is to the right of a left target, to the left of a right one.
    Colors begin at zero, so that a map which hardly varies looks like one; lines are at 95, 90 and 80 % of the best.
    The best is the largest value, of `angle` the smallest.

    Parameters
    ----------
    dataset : xarray.Dataset
        A sweep over a `PlacementGrid`, of one head, coil and rate.
    measure : str, optional
        By default E along the target's preferred direction; without one the size of the field at the target.
    head : HeadMesh, optional
        The head of the sweep: its gyri are drawn below the angles, as the grid's plane is over them.
    size : (int, int), pixels

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the sweep cannot be drawn, see `best_of_positions`.
    """
    name = measure_of(dataset, measure)
    best = best_of_positions(dataset, name)
    page = new_page(size, _title(dataset))
    left, right = page.add_axes((0.065, 0.1, 0.385, 0.76)), page.add_axes((0.605, 0.1, 0.385, 0.76))
    medial_right = medial_is_right(dataset)
    short = short_name(name)
    draw_values(page, left, best, dataset[name].attrs.get("units", "V/m"))
    most = "smallest" if best.least else "largest"
    left.set_title(f"{short} in the target, {most} at each position", fontsize=LABEL_PT, pad=4)
    if head is not None:
        draw_gyri(right, head, dataset)
    draw_angles(right, best, signed=turns(name))
    what = "arrows" if turns(name) else "lines"
    right.set_title(f"angle that gives it ({what} along the induced current)", fontsize=LABEL_PT, pad=4)
    for axes in (left, right):
        frame(axes, best, medial_right)
    return page


def measure_of(dataset: xarray.Dataset, measure: str | None) -> str:
    """The measure that is drawn: the one asked for, or what excites.

    Raises
    ------
    InputError
        If the sweep does not have it.
    """
    present = [one for one in _PREFERRED if one in dataset] or [_PREFERRED[0]]
    # A target without a direction has no E along it.
    known = [one for one in present if one in dataset and np.isfinite(dataset[one].values).any()]
    name = measure or (known or present)[0]
    if name not in dataset:
        raise InputError(f"measure must be one of {', '.join(map(str, dataset.data_vars))}; instead received {name!r}")
    return name


def short_name(measure: str) -> str:
    """What a measure is called on a map."""
    return _SHORT.get(measure, measure.replace("_", " "))


def _title(dataset: xarray.Dataset) -> str:
    def said(name: str) -> str:
        return str(dataset[name].values) if name in dataset.coords else str(dataset.attrs.get(name, ""))

    drive = dataset["didt"].values if "didt" in dataset.coords else dataset.attrs.get("didt")
    rate = "" if drive is None else f"dI/dt {float(drive) / AMPERE_PER_MICROSECOND:g} A/µs"
    place = f"{said('coil_name') or said('coil')} over {said('target')}"
    engine = f"{said('engine')} engine" if said("engine") else ""
    parts = (place, said("head_name") if "head_name" in dataset.coords else "", rate, engine)
    return ", ".join(part for part in parts if part)


def medial_is_right(dataset: xarray.Dataset) -> bool:
    """Whether medial is to the right on a map: toward +x of the head, and the plane's first axis points there."""
    return "plane" not in dataset or float(np.asarray(dataset["plane"].values)[0, 0]) >= 0
