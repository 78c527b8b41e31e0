"""The field on a surface that is not part of the mesh: the middle of the cortex, or a surface of FreeSurfer."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.ground.card import Card, Carded, counted
from efield.ground.errors import InputError, OutsideHeadError
from efield.head.surface import TriangleSurface

if TYPE_CHECKING:
    from efield.targeting.field import EField


#: Roundness from which a surface has no folds: of fsaverage5's hemispheres white and pial have 0.04 and 0.06, inflated
#: ones 0.49.
_SMOOTH = 0.25

#: Share of the vertices of a smooth surface along a tissue, or between two, that are in these two at least; of the
#: inflated ones in the default head 0.57 are.
_ALONG_AN_INTERFACE = 0.7

#: A surface narrower than this (mm) is one in meters: all of it would lie in the middle of the head.
_SMALLEST_MM = 1.0


@dataclass(frozen=True, eq=False, repr=False)
class SurfaceField(Carded):
    """The recovered field at the vertices of a surface; nan outside the head.

    Parameters
    ----------
    surface : TriangleSurface
    e : (p, 3) float, V/m
    tissue : (p,) int
        Tag of the tissue each vertex lies in, 0 outside the head.
    """

    surface: TriangleSurface
    e: NDArray[np.float64]
    tissue: NDArray[np.int64]

    @property
    def outside(self) -> int:
        """Number of vertices outside the head."""
        return int((self.tissue == 0).sum())

    @cached_property
    def magnitude(self) -> NDArray[np.float64]:
        """(p,) |E|, V/m."""
        return np.asarray(np.linalg.norm(self.e, axis=1))

    @cached_property
    def normal(self) -> NDArray[np.float64]:
        """(p,) component of E along the surface's normal, V/m; positive = into the cortex."""
        return np.asarray(-np.einsum("ij,ij->i", self.e, self.surface.normals))

    @cached_property
    def tangential(self) -> NDArray[np.float64]:
        """(p,) size of the component of E in the surface, V/m."""
        return np.asarray(np.linalg.norm(self.e + self.normal[:, None] * self.surface.normals, axis=1))

    def values(self) -> dict[str, NDArray[np.float64]]:
        """What a file holds: ``E_magn``, ``E_normal`` (positive into the cortex) and ``E_tangent``, V/m each."""
        return {"E_magn": self.magnitude, "E_normal": self.normal, "E_tangent": self.tangential}

    def _card(self) -> Card:
        points, triangles = len(self.surface.points_mm), len(self.surface.triangles)
        rows = (
            ("surface", f"{counted(points, 'vertex', 'vertices')}, {counted(triangles, 'triangle')}"),
            ("outside", f"{counted(self.outside, 'vertex', 'vertices')} outside the head, nan there"),
            ("unit", "V/m; the normal component is positive into the cortex"),
        )
        return Card("SurfaceField", rows)


def field_on_surface(field: "EField", surface: TriangleSurface) -> SurfaceField:
    """The recovered field at the vertices of a surface.

    Parameters
    ----------
    field : EField
    surface : TriangleSurface
        In head coordinates, mm. At a vertex the field is that of the tissue the vertex lies in.

    Returns
    -------
    SurfaceField
        Vertices outside the head have nan and are counted.

    Raises
    ------
    OutsideHeadError
        If more than half of the vertices lie outside the head: the surface is in other coordinates.
    InputError
        If it is no surface, so small that it must be in meters, or smooth and cuts across tissues, as an inflated or
        spherical one does.
    """
    if not isinstance(surface, TriangleSurface):
        raise InputError(
            "surface must be a TriangleSurface, such as efield.io.read_surface reads from a file; instead received "
            f"{checks.kind(surface)}"
        )
    width = float(np.ptp(surface.points_mm, axis=0).max())
    if width < _SMALLEST_MM:
        raise InputError(
            f"a surface must be in millimeters; instead it is only {width:.3g} wide, which looks like meters: multiply "
            "its points by 1000"
        )
    e = field.at(surface.points_mm)
    tet, _ = field.recovered.patches.locator.find(surface.points_mm)
    tissue = np.where(tet >= 0, field.head.tissue[np.maximum(tet, 0)], 0).astype(np.int64)
    outside = int((tissue == 0).sum())
    if 2 * outside > len(tissue):
        raise OutsideHeadError(
            f"a surface must lie in the head; instead {outside} of {len(tissue)} vertices are outside: "
            "check that it is in this head's coordinates"
        )
    _check_follows_tissues(surface, tissue)
    return SurfaceField(surface, e, tissue)


def _check_follows_tissues(surface: TriangleSurface, tissue: NDArray[np.int64]) -> None:
    """Refuse a closed surface without folds that does not run along a tissue's: inflated and spherical ones."""
    if _roundness(surface) < _SMOOTH:
        return
    shares = np.sort(np.bincount(tissue)) / len(tissue)
    if shares[-2:].sum() < _ALONG_AN_INTERFACE:
        raise InputError(
            "a surface must lie where a tissue is; instead this one is smooth and cuts across many, with at most "
            f"{shares[-1]:.0%} of its vertices in one: is it inflated or spherical? Give the white, pial or central one"
        )


def _roundness(surface: TriangleSurface) -> float:
    """36 pi V^2 / A^3: 1 for a sphere, 0.01 for a folded hemisphere, 0 for an open sheet."""
    p0, p1, p2 = ((surface.points_mm - surface.points_mm.mean(axis=0))[surface.triangles[:, k]] for k in range(3))
    volume = float(np.einsum("ij,ij->", np.cross(p0, p1), p2)) / 6
    return 36 * np.pi * volume**2 / max(float(surface.areas.sum()) ** 3, 1e-30)
