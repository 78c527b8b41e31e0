"""The measures: every number that says what a field does at a target, defined once.

`MEASURES` is the table: name, unit, meaning, and which field, where and how weighted. The same name is the same field,
region and formula in `EField.summary`, `sweep`, `ReducedBasis.measures`, reciprocity, studies, files and pictures. What
an engine can only give otherwise has another name. docs/measures.md is written from this table.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError, OutsideHeadError
from efield.ground.numbering import renumbered
from efield.head.locate import locator_of
from efield.head.mesh import HeadMesh
from efield.head.midsurface import mid_surface
from efield.head.surface import Surface, TriangleSurface, cortex
from efield.head.tissue import GRAY_MATTER
from efield.kernels import measures as kernels
from efield.targeting.targets import Target

if TYPE_CHECKING:
    from efield.targeting.field import EField


#: Peak |E| is this percentile of it: a maximum is a property of the mesh's worst element, not of the field.
PEAK_PERCENTILE: Final = 99.9

_TETS: Final = "recovered, at the centers of tetrahedra"
_FACES: Final = "recovered on the gray side, at the centers of triangles"
_VERTICES: Final = "recovered, at vertices of the middle of the cortex"


@dataclass(frozen=True)
class Measure:
    """One measure: what it is, and of what.

    Parameters
    ----------
    unit, meaning : str
    field : str
        Which field, and where it is taken; empty if it is not of the field.
    region : str
        Over what.
    weight : str
        "volume" or "area".
    """

    unit: str
    meaning: str
    field: str = ""
    region: str = ""
    weight: str = ""

    @property
    def notes(self) -> dict[str, str]:
        """For the attributes of a variable in a file."""
        own = {"field": self.field, "region": self.region, "weight": self.weight}
        return {"units": self.unit, "long_name": self.meaning} | {name: text for name, text in own.items() if text}


def _in_target(meaning: str, unit: str = "V/m") -> Measure:
    return Measure(unit, meaning, _TETS, "target", "volume")


def _on_cortex(meaning: str) -> Measure:
    return Measure("V/m", meaning, _FACES, "gray matter's surface toward the CSF, in the target's region", "area")


def _in_gray(meaning: str, unit: str) -> Measure:
    return Measure(unit, meaning, _TETS, "all gray matter of the head", "volume")


#: Of a target, in the order in which `TargetMeasures` gives them. Those of the preferred direction are the last.
AT_TARGET: Final[dict[str, Measure]] = {
    "mean_magnitude": _in_target("mean |E| in the target"),
    "p50_magnitude": _in_target("median of |E| in the target"),
    "p99_magnitude": _in_target("99th percentile of |E| in the target"),
    "max_magnitude": _in_target("largest |E| at any center in the target"),
    "mean_vector": _in_target("length of the mean of the vector E in the target"),
    "normal_mean": _on_cortex("mean size of the normal component on the target's cortex"),
    "normal_in_p99": _on_cortex("99th percentile of the component into the cortex"),
    "normal_out_p99": _on_cortex("99th percentile of the component out of the cortex"),
    "tangential_mean": _on_cortex("mean size of the tangential component on the target's cortex"),
    "along": _in_target("component of the mean E along the preferred direction"),
    "across": _in_target("length of the mean E perpendicular to that direction"),
    "angle": _in_target("angle of the mean E to the preferred direction", "deg"),
}

#: Those that need a target with a preferred direction.
_DIRECTED: Final = ("along", "across", "angle")

#: What reciprocity knows: means of the vector E only.
RECIPROCAL: Final = ("mean_vector", *_DIRECTED)

#: Of the whole head; in a summary only, because they need the field in all of its gray matter.
IN_HEAD: Final[dict[str, Measure]] = {
    "peak": _in_gray("peak |E| in gray matter (99.9th percentile)", "V/m"),
    "peak_place": _in_gray("center of the gray matter above the peak", "mm"),
    "focality_50": _in_gray("gray matter with |E| of at least 50 % of the peak", "cm3"),
    "focality_75": _in_gray("gray matter with |E| of at least 75 % of the peak", "cm3"),
}

#: Of the drive and of where things are; in a summary only.
OF_PLACEMENT: Final[dict[str, Measure]] = {
    "didt": Measure("A/us", "coil current's rate of change, dI/dt"),
    "mean_magnitude_per_drive": _in_target("mean |E| in the target per unit of drive", "V/m per A/us"),
    "target_volume": Measure("mm3", "volume of the target's region"),
    "scalp_cortex": Measure("mm", "scalp to nearest gray matter, under the coil's center"),
    "target_depth": Measure("mm", "depth of the target's center below the scalp"),
    "target_spread": Measure("mm", "SD of the target's place, as its source states it, along x, y, z"),
    "coil_target": Measure("mm", "coil center to target center"),
    "coil_clearance": Measure("mm", "smallest gap from casing to scalp; negative = overlap"),
}

#: Of the gray matter that a basis gives the field in: what lies beyond does not count, and neither does its peak.
IN_REGION: Final[dict[str, Measure]] = {
    "region_focality_50": Measure(
        "cm3", "gray matter of the region with |E| of at least 50 % of the region's peak", _TETS, "basis", "volume"
    ),
}

#: Places that count for focality in a region have at least this share of its peak.
_FOCAL_SHARE: Final = 0.5

#: A basis on the middle of the cortex has vertices and areas in the place of tetrahedra and volumes.
MIDSURFACE: Final = "midsurface_"


def _on_midsurface() -> dict[str, Measure]:
    found = {}
    for name, one in (AT_TARGET | IN_REGION).items():
        unit = "cm2" if one.unit == "cm3" else one.unit
        region = "basis" if name in IN_REGION else "middle of the cortex in the target's region"
        meaning = f"{one.meaning}, on the middle of the cortex"
        found[MIDSURFACE + name] = Measure(unit, meaning, _VERTICES, region, "area")
    return found


#: All of them, by name.
MEASURES: Final[dict[str, Measure]] = AT_TARGET | IN_HEAD | OF_PLACEMENT | IN_REGION | _on_midsurface()

#: What measures were called before, and what they are called now.
RENAMED: Final[dict[str, str]] = {
    "target_mean": "mean_magnitude",
    "target_p99": "p99_magnitude",
    "target_max": "max_magnitude",
    "target_along": "along",
    "target_angle": "angle",
    "target_mean_per_drive": "mean_magnitude_per_drive",
    "mean_vector_magnitude": "mean_vector",
}

#: Those that change where the current turns round: a coil and its twin, turned by 180 degrees, differ in them.
TURNING: Final = ("along", "angle", "normal_in_p99", "normal_out_p99")

#: What these become when the current runs the other way.
_OPPOSITE: Final = {"normal_in_p99": "normal_out_p99", "normal_out_p99": "normal_in_p99"}


class UnknownMeasureError(InputError, KeyError):
    """A measure that does not exist, or is called otherwise now."""

    def __str__(self) -> str:
        return str(self.args[0])


def unknown(name: object, known: Iterable[str]) -> UnknownMeasureError:
    """The error for a measure that is not there: it gives the new name of an old one, else what there is."""
    if name in RENAMED:
        return UnknownMeasureError(f"the measure {name!r} is called {RENAMED[str(name)]!r} now")
    where = " (it is a measure, but not one that is given here)" if name in MEASURES else ""
    return UnknownMeasureError(f"measure must be one of {', '.join(known)}; instead received {name!r}{where}")


def names_at(target: Target) -> tuple[str, ...]:
    """Names of the measures of a target: without a preferred direction there are none along it."""
    return tuple(name for name in AT_TARGET if target.direction is not None or name not in _DIRECTED)


def weighted_percentile(values: NDArray[np.floating], weights: FloatArray, percent: float) -> float:
    """The value below which `percent` of the total weight lies.

    Parameters
    ----------
    values, weights : (n,) float
    percent : float
        0 to 100.
    """
    given = np.ascontiguousarray(values, np.float64), np.array(weights), float(percent)
    return float(kernels.weighted_percentile(*given))


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a table of E, and what they are to a target.

    Parameters
    ----------
    numbers : (r,) int
        Of the rows of a larger table that are needed.
    corners : (k, 4) int
        The four of these rows whose mean is E at each place of the target: corners of a tetrahedron, or four times the
        same row.
    faces : (f, 3) int
        The three of these rows whose mean is E at each face.
    """

    numbers: NDArray[np.intp]
    corners: NDArray[np.intp]
    faces: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class TargetMeasures:
    """How fields are measured at one target: its places, its faces, their weights and the direction.

    Parameters
    ----------
    names : tuple of str
    weights : (k,) float
        Volumes of the target's tetrahedra, or areas of vertices.
    normals : (f, 3) float
        Outward normals of the faces.
    areas : (f,) float
        Without faces, normal and tangential components are nan.
    direction : (3,) float
        Preferred direction; zero if there is none.
    """

    names: tuple[str, ...]
    weights: FloatArray
    normals: FloatArray
    areas: FloatArray
    direction: FloatArray

    @classmethod
    def at(cls, head: HeadMesh, target: Target) -> "TargetMeasures":
        """Measures in the tetrahedra of a target and on the faces of gray matter in its region."""
        surface, near = faces_of(head, target)
        normals = np.empty((0, 3)) if surface is None else surface.triangle_normals[near]
        areas = np.empty(0) if surface is None else surface.areas[near]
        direction = np.zeros(3) if target.direction is None else np.array(target.direction)
        return cls(names_at(target), np.array(head.volumes[target.tets(head)]), normals, areas, direction)

    @classmethod
    def on_vertices(cls, target: Target, areas: FloatArray, normals: FloatArray) -> "TargetMeasures":
        """Measures of a target at vertices of the middle of the cortex, with their areas (k,) and normals (k, 3)."""
        direction = np.zeros(3) if target.direction is None else np.array(target.direction)
        names = tuple(MIDSURFACE + name for name in names_at(target))
        return cls(names, areas, normals, areas, direction)

    def of_field(self, field: "EField", target: Target) -> FloatArray:
        """(m,) the measures of a full solve, from its recovered field."""
        e = field.in_tets(target.tets(field.head))
        surface, near = faces_of(field.head, target)
        places = np.arange(len(e))
        rows = Rows(places, np.repeat(places[:, None], 4, axis=1), np.empty((0, 3), np.intp))
        if surface is not None:
            nodes, corners = renumbered(surface.nodes[surface.triangles[near]])
            rows = Rows(places, rows.corners, len(e) + corners.astype(np.intp))
            e = np.concatenate([e, field.recovered.on_nodes(nodes, GRAY_MATTER)])
        return np.asarray(self.of_rows(e[None], rows)[0])

    def of_vertices(self, e: FloatArray) -> dict[str, float]:
        """The measures by name of E (k, 3) in V/m at the vertices that they were made for by `on_vertices`."""
        places = np.arange(len(e))
        rows = Rows(places, np.repeat(places[:, None], 4, axis=1), np.repeat(places[:, None], 3, axis=1))
        return dict(zip(self.names, map(float, self.of_rows(e[None], rows)[0]), strict=True))

    def of_rows(self, e: NDArray[np.floating], rows: Rows) -> FloatArray:
        """(p, m) measures of fields (p, r, 3) in V/m; those of a field do not depend on the others."""
        given = (e, rows.corners, self.weights, self.direction)
        table = kernels.measures(*given, rows.faces, np.ascontiguousarray(self.normals), np.array(self.areas))
        return np.asarray(table[:, : len(self.names)])


def faces_near(head: HeadMesh, center_mm: FloatArray, radius_mm: float) -> tuple[Surface | None, NDArray[np.intp]]:
    """The surface of gray matter toward the CSF, and its triangles whose centers lie within a radius of a place."""
    if GRAY_MATTER not in head.tags:
        return None, np.empty(0, np.intp)
    surface = cortex(head)
    distance = np.linalg.norm(surface.centers_mm - center_mm, axis=1)
    return surface, np.flatnonzero(distance <= radius_mm)


def in_gray_matter(head: HeadMesh, e: FloatArray) -> dict[str, float | tuple[float, ...] | None]:
    """The measures `IN_HEAD` of E (g, 3) in V/m at the centers of all tetrahedra of gray matter, in their order.

    Where there is no field nothing is above its peak: place and volumes are None.
    """
    gray = np.flatnonzero(head.tissue == GRAY_MATTER)
    size, volume = np.linalg.norm(e, axis=1), head.volumes[gray]
    peak = weighted_percentile(size, volume, PEAK_PERCENTILE)
    if not size.any():
        return dict.fromkeys(IN_HEAD) | {"peak": peak}
    top = size >= peak
    place = np.average(head.centers_of(gray[top]), axis=0, weights=volume[top])
    values: dict[str, float | tuple[float, ...] | None] = {"peak": peak, "peak_place": tuple(float(x) for x in place)}
    for share in (50, 75):
        values[f"focality_{share}"] = float(volume[size >= share / 100 * peak].sum()) / 1000.0
    return values


def faces_of(head: HeadMesh, target: Target) -> tuple[Surface | None, NDArray[np.intp]]:
    """The surface of gray matter toward the CSF, and its triangles whose centers lie in a target's region."""
    if GRAY_MATTER not in head.tags:
        return None, np.empty(0, np.intp)
    surface = cortex(head)
    return surface, target.among(head, surface.centers_mm)


def on_midsurface(field: "EField", target: Target) -> dict[str, float]:
    """Measures of a full solve on the middle of the cortex in a target's region, by name (``midsurface_...``).

    Raises
    ------
    InputError
        If the head has no white matter.
    OutsideHeadError
        If no vertex of the middle of the cortex lies in the region.
    """
    measures, places = middle_of(field.head, target)
    return measures.of_vertices(field.at(places))


def middle_of(head: HeadMesh, target: Target) -> tuple[TargetMeasures, FloatArray]:
    """How fields are measured on the middle of the cortex in a target's region, and at which vertices (k, 3), mm.

    Raises
    ------
    InputError, OutsideHeadError
        As `on_midsurface`.
    """
    surface, chosen, share = midsurface_in(head, lambda points: target.among(head, points))
    if not len(chosen):
        raise OutsideHeadError(f"{target.name} must hold vertices of the middle of the cortex; instead it holds none")
    measures = TargetMeasures.on_vertices(target, share[chosen], surface.normals[chosen])
    return measures, surface.points_mm[chosen]


def midsurface_in(
    head: HeadMesh, among: Callable[[FloatArray], NDArray[np.intp]]
) -> tuple[TriangleSurface, NDArray[np.intp], FloatArray]:
    """The middle of the cortex, its vertices in a region that are in the head, and the share of area (mm2) of all.

    Parameters
    ----------
    head : HeadMesh
    among : callable
        Gives the numbers of those of (n, 3) points that lie in the region.
    """
    surface = mid_surface(head)
    thirds = np.repeat(surface.areas / 3.0, 3)
    share = np.bincount(surface.triangles.ravel(), thirds, len(surface.points_mm)).astype(np.float64)
    chosen = among(surface.points_mm)
    chosen = chosen[share[chosen] > 0]
    tet, _ = locator_of(head).find(surface.points_mm[chosen])
    return surface, chosen[tet >= 0], share


def region_focality(
    e: NDArray[np.floating], corners: NDArray[np.intp], weights: FloatArray, unit: float = 1e-3
) -> FloatArray:
    """`region_focality_50` (p,) of fields (p, r, 3) in V/m.

    Parameters
    ----------
    e : (p, r, 3) float
    corners : (k, 4) int
        Rows whose mean is E at each place of gray matter.
    weights : (k,) float
        Volumes in mm3, or areas in mm2.
    unit : float
        Of the result in that of the weights: 1e-3 for cm3, 1e-2 for cm2.

    Returns
    -------
    (p,) ndarray
        nan where there is no field, which has no peak.
    """
    found = kernels.focality(np.ascontiguousarray(e), corners, weights, PEAK_PERCENTILE, _FOCAL_SHARE)
    return np.where(np.any(e, axis=(1, 2)), unit * np.asarray(found), np.nan)


def turns(name: str) -> bool:
    """Whether a measure is another one where the current turns round."""
    return name.removeprefix(MIDSURFACE) in TURNING


def sense(name: str) -> int:
    """1 where more of a measure is better, -1 where less is."""
    return -1 if name.removeprefix(MIDSURFACE) == "angle" else 1


def scaled(
    table: Mapping[str, NDArray[np.floating]], share: float | FloatArray, names: Iterable[str] | None = None
) -> dict[str, NDArray[np.floating]]:
    """Measures (all of a table, or those named) of a dI/dt that is `share` times as large; if negative, turned round.

    The share is one number, or one for each placement. Magnitudes grow with its size, components and fields (`e`) keep
    its sign, focality does not change, and what flows into the cortex flows out of it where the current turns. Without
    current there is no angle, and no focality.
    """
    found = {}
    for name in names or table:
        own, values = name.removeprefix(MIDSURFACE), table[name]
        times = share if np.ndim(share) == 0 else np.reshape(share, (-1, *values.ndim * (1,))[: values.ndim])
        if own in _OPPOSITE:
            values = np.where(np.less(times, 0), table[name.replace(own, _OPPOSITE[own])], values)
        if own == "angle":
            values = np.where(np.less(times, 0), 180.0 - values, values)
        if own == "angle" or own in IN_REGION:
            found[name] = np.where(np.equal(times, 0), np.nan, values)
        else:
            found[name] = values * (times if own in ("along", "e") else np.abs(times))
    return found
