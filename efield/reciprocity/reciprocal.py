"""Reciprocity: one adjoint solve per direction, then any placement of any coil is a sum over its wires.

E at a target (recovered, as in all measures) is linear in the coil's vector potential at the nodes
(`efield.fem.adjoint`). Summed the other way round, it is the potential that the adjoint currents make outside the head,
taken along the coil: nothing is solved, and the head's nodes are not visited again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Final

import numpy as np

from efield.coils.model import Coil
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.card import Card, Carded, counted, place
from efield.ground.errors import InputError
from efield.ground.pose import Pose, pose_matrices
from efield.ground.progress import Progress
from efield.head.mesh import HeadMesh
from efield.io.poses.reading import opened
from efield.reciprocity.currents import Outside, adjoint_currents
from efield.reciprocity.route import route
from efield.reciprocity.sums import Sums
from efield.targeting import given
from efield.targeting.fingerprint import digest, head_digest
from efield.targeting.held import check_all_held
from efield.targeting.named import the_coil
from efield.targeting.naming import Place, target_of
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target

Poses = Iterable[Pose] | FloatArray | str | PathLike[str]

#: The adjoint solver stops at this relative residual, or at the simulator's if that is smaller.
_TOL: Final = 1e-9


def reciprocal(
    sim: Simulator,
    target: Place,
    *,
    axes: bool | None = None,
    cache: str | PathLike[str] | None = None,
    progress: Progress = None,
) -> "Reciprocal":
    """Solve the adjoint problems of a target.

    Parameters
    ----------
    sim : Simulator
    target : Target, str or (3,) array_like
        A name such as ``"m1-hand-left"`` or ``"C3"``, or a point in mm.
    axes : bool, optional
        True: three solves, one per axis, for the mean field as a vector and its magnitude. False: one solve, for its
        component along the target's direction. By default one if the target has a direction, else three.
    cache : path_like, optional
        A folder in which the adjoint currents, and the potential that is stored for fast answers, are kept for the next
        call with this head, conductivity, target and tolerance, sealed: a file that is damaged, or was made by other
        versions, is not used. Without it nothing is written.
    progress : bool or callable, optional
        True shows a bar; a callable is told (done, total, note) of the adjoint solves, which are solved together. It
        hears nothing of currents that were kept.

    Returns
    -------
    Reciprocal

    Raises
    ------
    InputError
        If `axes` is False and the target has no direction, or the simulator is of second order.
    SolverError
        If the solver does not reach its tolerance.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> coil, sim = ef.load_coil("d70"), ef.Simulator(head)
    >>> adjoint = ef.reciprocal(sim, "m1-hand-left")
    >>> poses = [ef.place_coil(head, "m1-hand-left", angle, coil=coil) for angle in range(0, 360, 45)]
    >>> int(adjoint.along(coil, poses, didt=1e6, exact=True).argmax())
    1
    """
    target = target_of(given.simulator(sim).head, target)
    if sim.problem.order != 1:
        raise InputError(
            f"sim must have elements of order 1 for reciprocity; instead it has order {sim.problem.order}: use "
            "Simulator(head, order=1), or full solves"
        )
    along = target.direction is not None if axes is None else not axes
    if along and target.direction is None:
        raise InputError("target must have a direction for one solve; give it one, or axes=True")
    directions = np.asarray(target.direction)[None] if along and target.direction is not None else np.eye(3)
    tol = min(_TOL, sim.problem.tol)
    made_with: dict[str, str | float]
    made_with = {"head": head_digest(sim.head), "conductivity": digest(sim.problem.sigma), "solver_tol": tol}
    folder = None if cache is None else Path(cache)
    currents = adjoint_currents(sim, target, directions, made_with, folder, progress)
    return Reciprocal(sim, target, directions, currents, made_with, folder)


@dataclass(frozen=True, eq=False, repr=False)
class Reciprocal(Carded):
    """What any primary field does at one target; made by `reciprocal`.

    Parameters
    ----------
    sim : Simulator
    target : Target
    directions : (d, 3) float
        The target's direction, or the three axes.
    currents : (d, n, 3) float
        The mean E along each direction is the sum over nodes of currents . dA/dt.
    made_with : mapping
        Hashes of the head and its conductivities, and the tolerance of the solves.
    cache : Path, optional
        Folder in which the stored potential is kept.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> adjoint = ef.reciprocal(ef.Simulator(head), "m1-hand-left", axes=True)
    >>> coil = ef.load_coil("d70")
    >>> adjoint.mean(coil, [ef.place_coil(head, "C3", coil=coil)], exact=True).shape
    (1, 3)
    """

    sim: Simulator
    target: Target
    directions: FloatArray
    currents: FloatArray
    made_with: Mapping[str, str | float] = field(default_factory=dict)
    cache: Path | None = None

    @property
    def head(self) -> HeadMesh:
        """The head of its simulator."""
        return self.sim.head

    def measures(
        self,
        coil: Coil,
        poses: Poses,
        didt: float = 1e6,
        *,
        exact: bool | None = None,
        allow_collision: bool = False,
    ) -> dict[str, FloatArray]:
        """All that is known at the target, each (p,) in V/m; arguments as in `along`.

        Returns
        -------
        dict of str to (p,) ndarray
            `along` with one direction; with three axes `mean_vector`, and `along`, `across` and `angle` if the target
            has a direction: see `efield.targeting.measures`.
        """
        means = self._means(coil, poses, didt, exact, allow_collision)
        if len(self.directions) == 1:
            return {"along": means[:, 0]}
        table = {"mean_vector": np.linalg.norm(means, axis=1)}
        if (direction := self.target.direction) is not None:
            table["along"] = _component(means, direction)
            rest = means - table["along"][:, None] * direction
            table["across"] = np.linalg.norm(rest, axis=1)
            angle = np.degrees(np.arctan2(table["across"], table["along"]))
            table["angle"] = np.where(table["mean_vector"] > 0, angle, np.nan)
        return table

    def along(
        self,
        coil: Coil,
        poses: Poses,
        didt: float = 1e6,
        *,
        exact: bool | None = None,
        allow_collision: bool = False,
    ) -> FloatArray:
        """Volume mean of E in the target along its direction.

        Parameters
        ----------
        coil : Coil
        poses : iterable of Pose, (p, 4, 4) ndarray, or a file of poses
            A stack of matrices from coil to head (mm) is taken as it is; a list of poses is unpacked first, which
            takes longer than to evaluate them.
        didt : float, A/s
        exact : bool, optional
            True sums over the nodes of the head: what a full solve gives, to rounding and the solvers' tolerances.
            False takes the stored potential of the currents: errors below 1e-5 of the peak (docs/coils.md) and hundreds
            to thousands of placements per second. By default whichever is quicker for so many placements. A placement
            that reaches beyond what is stored, or is tilted by more than 75 degrees against the scalp, and a coil of
            fewer than 100 sources or without a `route`, are summed exactly.
        allow_collision : bool
            True computes poses at which nobody holds a coil, which are refused as by `Simulator.solve`; of more than a
            thousand poses centers and axes alone are looked at, without the casing.

        Returns
        -------
        (p,) ndarray, V/m

        Raises
        ------
        InputError
            If the target has no direction.
        CollisionError
            If a pose is inside the head, far from it or turned away.
        """
        if self.target.direction is None:
            raise InputError("target must have a direction for `along`; use `magnitude`, or give it one")
        mean = self._means(coil, poses, didt, exact, allow_collision)
        return mean[:, 0] if len(self.directions) == 1 else _component(mean, self.target.direction)

    def mean(
        self,
        coil: Coil,
        poses: Poses,
        didt: float = 1e6,
        *,
        exact: bool | None = None,
        allow_collision: bool = False,
    ) -> FloatArray:
        """(p, 3) volume mean of the vector E in the target, V/m; arguments as in `along`, three axes needed."""
        if len(self.directions) != 3:
            raise InputError("reciprocal(...) must be made with axes=True for the mean vector; it has one direction")
        return self._means(coil, poses, didt, exact, allow_collision)

    def magnitude(
        self,
        coil: Coil,
        poses: Poses,
        didt: float = 1e6,
        *,
        exact: bool | None = None,
        allow_collision: bool = False,
    ) -> FloatArray:
        """(p,) magnitude of the volume mean of E, V/m; arguments as in `along`, three axes needed.

        The mean of |E| is a little larger where the field turns or folds within the target.
        """
        return np.asarray(
            np.linalg.norm(self.mean(coil, poses, didt, exact=exact, allow_collision=allow_collision), axis=1)
        )

    def route(
        self, coil: Coil, placements: int, exact: bool | None = None, *, stored: bool = False
    ) -> tuple[bool, str]:
        """Whether so many placements are summed exactly, and why, in words.

        Parameters
        ----------
        coil : Coil
        placements : int
        exact : bool, optional
            As in `along`.
        stored : bool
            Whether the potential of the currents is stored already, by an earlier call.
        """
        return route(coil, len(self.head.points), len(self.directions), placements, exact, stored=stored)

    def _means(self, coil: Coil, poses: Poses, didt: float, exact: bool | None, allow_collision: bool) -> FloatArray:
        rate = checks.rate("didt", didt)
        coil = the_coil(coil)
        poses = opened(poses)
        one = isinstance(poses, np.ndarray) and poses.shape == (4, 4)
        matrices = pose_matrices(np.array([poses]) if one else poses)
        if not checks.flag("allow_collision", allow_collision):
            check_all_held(self.head, coil, matrices)
        exact, _ = self.route(coil, len(matrices), exact, stored=self.stored or self.kept)
        return (self._sums.exact if exact else self._sums.fast)(coil, matrices, rate)

    @cached_property
    def _sums(self) -> Sums:
        return Sums(Outside(self.head, self.currents, self.cache))

    @property
    def stored(self) -> bool:
        """Whether the potential that fast answers are taken from is in memory already."""
        return self._sums.outside.stored

    @property
    def kept(self) -> bool:
        """Whether the potential lies in the cache: `store` then reads it, if it is as it was written."""
        return self._sums.outside.kept

    def store(self) -> None:
        """Store the potential that fast answers are taken from now, and not with the first of them."""
        _ = self._sums.outside.potential

    def _card(self) -> Card:
        along = "along the target's direction" if len(self.directions) == 1 else "along three axes"
        rows = (
            ("target", f"{self.target.name} at {place(self.target.center_mm)}"),
            ("gives", f"the mean of E {along}, V/m"),
            ("head", counted(len(self.head.points), "node")),
            ("solved to", str(self.made_with.get("solver_tol", ""))),
        )
        return Card("Reciprocal", rows)


def _component(vectors: FloatArray, direction: FloatArray) -> FloatArray:
    """(p,) component of vectors (p, 3) along a unit vector.

    Not as a matrix product, whose bits may depend on how many vectors there are.
    """
    return np.asarray((vectors * direction).sum(axis=1))
