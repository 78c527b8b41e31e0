"""What a placement does at a target: the numbers of sweeps and of the reduced basis.

They use the field at the places the engine has it: per tetrahedron (`EField.e`) for full solves and for most bases,
recovered at the vertices of the cortex for a basis on a surface. `EField.summary` uses the recovered field at centers,
whose numbers are a little different.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.head.mesh import HeadMesh
from efield.head.surface import cortex
from efield.head.tissue import GRAY_MATTER
from efield.kernels import measures as kernels
from efield.targeting.targets import Target

FloatArray = NDArray[np.float64]
Faces = tuple[NDArray[np.intp], FloatArray, FloatArray]

#: Names, units and meanings of the measures. Shares are of volume in tetrahedra, of area on a surface.
MEASURES: Final[dict[str, tuple[str, str]]] = {
    "mean_magnitude": ("V/m", "volume mean of |E| in the target"),
    "p50_magnitude": ("V/m", "median (by volume) of |E| in the target"),
    "p99_magnitude": ("V/m", "99th volume percentile of |E| in the target"),
    "max_magnitude": ("V/m", "largest |E| of any tetrahedron in the target"),
    "normal_mean": ("V/m", "area mean of the size of E's normal component on the target's part of the cortex"),
    "normal_in_p99": ("V/m", "99th area percentile of the normal component into the cortex, on the same part"),
    "normal_out_p99": ("V/m", "99th area percentile of the normal component out of the cortex, on the same part"),
    "along": ("V/m", "volume mean of E along the target's preferred direction"),
    "across": ("V/m", "length of the volume mean of E perpendicular to that direction"),
}

#: Measures of the whole region of a basis. What lies beyond the region does not count.
FOCALITY: Final[dict[str, tuple[str, str]]] = {
    "focality_50": (
        "cm3",
        "gray matter within the region of the basis (not the whole head) where |E| is at least 50 % of its 99.9th "
        "volume percentile there; on a surface the area in cm2",
    ),
}
PEAK_PERCENTILE: Final = 99.9

#: Places that count have at least this share of the peak.
_FOCAL_SHARE: Final = 0.5

#: What these become when the current runs the other way.
_OPPOSITE: Final = {"normal_in_p99": "normal_out_p99", "normal_out_p99": "normal_in_p99"}
_SIGNED: Final = ("along", "e")
_NO_FACES: Final[Faces] = (np.empty(0, np.intp), np.empty((0, 3)), np.empty(0))


@dataclass(frozen=True, eq=False)
class Measures:
    """How fields are measured: the weights, the direction and the cortical faces of one target.

    Parameters
    ----------
    volumes : (k,) float
        Weight of each place of the target: the volume of a tetrahedron, the area of a vertex.
    direction : (3,) float, optional
        Preferred direction; without it there is no `along` and `across`.
    faces : (f,) int, (f, 3) float, (f,) float, optional
        Places that have a normal, the outward normals, and their areas; without them normal components are nan.
    """

    volumes: FloatArray
    direction: FloatArray | None
    faces: Faces | None = None

    @classmethod
    def at(cls, head: HeadMesh, target: Target) -> "Measures":
        """Measures on the tetrahedra of a target; normals are those of their faces on the cortex."""
        tets = target.tets(head)
        faces = _cortical_faces(head, tets) if GRAY_MATTER in head.tags else None
        return cls(head.volumes[tets], target.direction, faces)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the measures, in the order of `of`."""
        return tuple(MEASURES) if self.direction is not None else tuple(MEASURES)[:-2]

    def of(self, e: NDArray[np.floating]) -> tuple[float, ...]:
        """The measures of one field (k, 3) in V/m at the target's places."""
        return tuple(float(value) for value in self.of_many(np.asarray(e)[None])[0])

    def of_many(self, e: NDArray[np.floating]) -> FloatArray:
        """(p, m) measures of fields (p, k, 3); those of a field do not depend on the others."""
        direction = np.zeros(3) if self.direction is None else np.array(self.direction)
        faces = [np.ascontiguousarray(array).copy() for array in self.faces or _NO_FACES]
        table = kernels.measures(np.ascontiguousarray(e), np.array(self.volumes), direction, *faces)
        return np.asarray(table[:, : len(self.names)])


def focality(e: NDArray[np.float32], weights: FloatArray, at: str) -> FloatArray:
    """`focality_50` (p,) of fields (p, k, 3) in V/m at places of gray matter.

    Parameters
    ----------
    e : (p, k, 3) float
    weights : (k,) float
        Volumes in mm3, or areas in mm2.
    at : {"tets", "surface"}

    Returns
    -------
    (p,) ndarray
        cm3, or cm2 on a surface; nan where there is no field, which has no peak.
    """
    unit = 1e-3 if at == "tets" else 1e-2
    found = unit * np.asarray(kernels.focality(np.ascontiguousarray(e), weights, PEAK_PERCENTILE, _FOCAL_SHARE))
    return np.where(np.any(e, axis=(1, 2)), found, np.nan)


def _cortical_faces(head: HeadMesh, tets: NDArray[np.intp]) -> Faces:
    """Faces of ascending tetrahedra on the cortex: place in `tets`, outward normal, area in mm2."""
    surface = cortex(head)
    chosen = np.flatnonzero(np.isin(surface.owners, tets))
    rows = np.searchsorted(tets, surface.owners[chosen])
    return rows, surface.triangle_normals[chosen], surface.areas[chosen]


def scaled(
    table: Mapping[str, NDArray[np.floating]], share: float, names: Iterable[str] | None = None
) -> dict[str, NDArray[np.floating]]:
    """Measures (all of a table, or those named) of a dI/dt that is `share` times as large; if negative, turned round.

    Magnitudes grow with the size of the share, components and fields (`e`) keep its sign, focality does not change,
    and what flows into the cortex flows out of it where the current turns.
    """
    found = {}
    for name in names or table:
        source = _OPPOSITE.get(name, name) if share < 0 else name
        factor = 1.0 if name in FOCALITY else share if name in _SIGNED else abs(share)
        found[name] = table[source] * factor
    return found
