"""The field of one placement at the places of a reduced basis."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from efield.basis.outputs import Places
from efield.ground.card import Card, Carded, place, rate
from efield.ground.errors import InputError
from efield.ground.pose import Pose


@dataclass(frozen=True, eq=False, repr=False)
class RegionField(Carded):
    """The field of one placement at the places of a basis.

    Parameters
    ----------
    e : (k, 3) float, V/m
    places : Places
        Tetrahedra, or vertices of the cortex, that the rows of `e` belong to.
    pose : Pose
    didt : float
        A/s.
    """

    e: NDArray[np.floating]
    places: Places
    pose: Pose
    didt: float

    @property
    def tets(self) -> NDArray[np.intp]:
        """(k,) tetrahedra of the head; refused on a surface."""
        return tets_of(self.places)

    @cached_property
    def magnitude(self) -> NDArray[np.floating]:
        """(k,) |E| in V/m."""
        return np.asarray(np.linalg.norm(self.e, axis=1))

    @cached_property
    def normal(self) -> NDArray[np.floating]:
        """(k,) component of E along the surface's normal in V/m, positive into the cortex; on a surface only."""
        if self.places.at != "surface":
            raise InputError('the normal component needs a basis built with at="surface"; this one has tetrahedra')
        return np.asarray(-np.einsum("ij,ij->i", self.e, self.places.normals))

    @cached_property
    def tangential(self) -> NDArray[np.floating]:
        """(k,) size of the component of E in the surface, V/m; on a surface only."""
        return np.asarray(np.linalg.norm(self.e + self.normal[:, None] * self.places.normals, axis=1))

    def _card(self) -> Card:
        rows = (
            ("size", self.places.words),
            ("field", f"{self.places.field}, V/m"),
            ("dI/dt", rate(self.didt)),
            ("center", place(self.pose.center_mm)),
        )
        return Card("RegionField", rows)


def tets_of(places: Places) -> NDArray[np.intp]:
    """The tetrahedra of some places."""
    if places.at != "tets":
        raise InputError("tets must be asked of a basis of tetrahedra; this one has vertices of the cortex")
    return places.numbers
