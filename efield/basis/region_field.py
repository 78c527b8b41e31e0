"""The field of one placement in the region of a reduced basis."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from efield.basis.outputs import Outputs
from efield.ground.card import Card, Carded, place, rate
from efield.ground.errors import InputError
from efield.ground.pose import Pose


@dataclass(frozen=True, eq=False, repr=False)
class RegionField(Carded):
    """The field of one placement at the places of a basis.

    Parameters
    ----------
    e : (k, 3) float, V/m
    outputs : Outputs
        Has the tetrahedra, or vertices of the cortex, that the rows of `e` belong to.
    pose : Pose
    didt : float
        A/s.
    recover : callable
        Gives the recovered field at the same places; called at the first use of it.
    """

    e: NDArray[np.floating]
    outputs: Outputs
    pose: Pose
    didt: float
    recover: Callable[[], NDArray[np.floating]]

    @property
    def tets(self) -> NDArray[np.intp]:
        """(k,) tetrahedra of the head; refused on a surface."""
        return tets_of(self.outputs)

    @cached_property
    def recovered(self) -> NDArray[np.floating]:
        """(k, 3) the recovered field in V/m, which measures are of; on a surface it is `e`."""
        return self.recover()

    @cached_property
    def magnitude(self) -> NDArray[np.floating]:
        """(k,) |E| in V/m."""
        return np.asarray(np.linalg.norm(self.e, axis=1))

    @cached_property
    def normal(self) -> NDArray[np.floating]:
        """(k,) component of E along the surface's normal in V/m, positive into the cortex; on a surface only."""
        if self.outputs.at != "surface":
            raise InputError('the normal component needs a basis built with at="surface"; this one has tetrahedra')
        return np.asarray(-np.einsum("ij,ij->i", self.e, self.outputs.normals))

    @cached_property
    def tangential(self) -> NDArray[np.floating]:
        """(k,) size of the component of E in the surface, V/m; on a surface only."""
        return np.asarray(np.linalg.norm(self.e + self.normal[:, None] * self.outputs.normals, axis=1))

    def _card(self) -> Card:
        rows = (
            ("size", self.outputs.words),
            ("unit", "V/m"),
            ("dI/dt", rate(self.didt)),
            ("center", place(self.pose.center_mm)),
        )
        return Card("RegionField", rows)


def tets_of(outputs: Outputs) -> NDArray[np.intp]:
    """The tetrahedra of some outputs."""
    if outputs.at != "tets":
        raise InputError("tets must be asked of a basis of tetrahedra; this one has vertices of the cortex")
    return outputs.numbers
