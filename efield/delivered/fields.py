"""The fields of all pulses of a recording from few solves: those that differ most, and sums of them for the others.

The field is linear in the primary field, and the primary fields of a coil that is held over one place for an hour are
nearly sums of some dozens among them. Pivoted QR of samples of the primary field says which. Each block of solves
tests the blocks before it, at the pulses that these explain worst, before it joins them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr

from efield.coils.model import Coil
from efield.fem.answers import Places
from efield.fem.problem import FemProblem
from efield.ground.errors import InputError
from efield.ground.memory import check_room
from efield.ground.pose import Pose
from efield.ground.progress import Tell
from efield.ground.rows import distinct_rows
from efield.head.mesh import HeadMesh
from efield.head.tissue import GRAY_MATTER
from efield.targeting.measures import Rows, faces_of
from efield.targeting.simulate import Simulator, evaluator, primary_at, worth_storing
from efield.targeting.targets import Target

FloatArray = NDArray[np.float64]

#: dI/dt of what is kept: 1 A/us.
UNIT_DIDT: Final = 1e6

#: Pulses that are solved before the others are tested again.
_BLOCK: Final = 16

#: Places at which primary fields are compared; how strongly they gather near the coil (mm).
_POINTS: Final = 400
_NEAR_MM: Final = 20.0


@dataclass(frozen=True, eq=False)
class KeptPlaces:
    """Where fields are kept: recovered, at all nodes of gray matter, and where the target's measures look.

    Parameters
    ----------
    nodes : (g,) int
        Of the head, in gray matter; their fields are the first rows.
    places : Places
        The pairs of the nodes, and other tissues' at the corners of the target; and the tetrahedra of the target where
        elements of second order know the field.
    rows : Rows
        That the measures need.
    """

    nodes: NDArray[np.intp]
    places: Places
    rows: Rows

    @classmethod
    def at(cls, problem: FemProblem, target: Target) -> "KeptPlaces":
        """Those of a head and a target.

        Raises
        ------
        InputError
            If the head has no gray matter.
        """
        head, patches = problem.head, problem.patches
        if GRAY_MATTER not in head.tags:
            raise InputError(f"maps need gray matter (tag {GRAY_MATTER}); instead the head has tags {head.tags}")
        nodes, own = np.unique(head.tets[head.tissue == GRAY_MATTER]), target.tets(head)
        gray, at_corners = patches.numbers(nodes, GRAY_MATTER), patches.corners(own)
        pairs = np.concatenate([gray, np.setdiff1d(at_corners, gray)])
        order = np.argsort(pairs)
        corners = order[np.searchsorted(pairs, at_corners, sorter=order)]
        surface, near = faces_of(head, target)
        faces = np.empty((0, 3), np.intp)
        if surface is not None:
            faces = np.searchsorted(nodes, surface.nodes[surface.triangles[near]])
        if problem.order == 1:
            return cls(nodes, Places(pairs, own[:0]), Rows(np.arange(len(pairs)), corners, faces))
        centers = np.repeat(len(pairs) + np.arange(len(own))[:, None], 4, axis=1)
        return cls(nodes, Places(pairs, own), Rows(np.arange(len(pairs) + len(own)), centers, faces))

    @property
    def count(self) -> int:
        """Rows of a field."""
        return len(self.places.pairs) + len(self.places.tets)


@dataclass(frozen=True, eq=False)
class PulseFields:
    """The field of each pulse at 1 A/us, as a sum of kept ones.

    Parameters
    ----------
    places : KeptPlaces
    kept : (k, r, 3) float32, V/m
    shares : (n, k) float
        Of the kept fields in each pulse's.
    error : float
        Largest relative error of E in gray matter at pulses that took no part yet; 0 if all were solved.
    """

    places: KeptPlaces
    kept: NDArray[np.float32]
    shares: FloatArray
    error: float

    def parts(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Some pulses at a time, and their (p, r, 3) fields."""
        flat = self.kept.reshape(len(self.kept), -1)
        for first in range(0, len(self.shares), _BLOCK):
            part = slice(first, first + _BLOCK)
            yield part, (self.shares[part].astype(np.float32) @ flat).reshape(-1, *self.kept.shape[1:])


def pulse_fields(sim: Simulator, coil: Coil, poses: list[Pose], target: Target, tol: float, tell: Tell) -> PulseFields:
    """Solve as many of the pulses as all of them need.

    Parameters
    ----------
    sim : Simulator
    coil : Coil
    poses : list of Pose
        Looked at already.
    target : Target
    tol : float
        Relative error of E in gray matter that is small enough; 0 solves every pulse.
    tell : callable
        Told (done, total, note) of solves; the total is the most there may be.

    Raises
    ------
    InputError
        If the fields that must be kept do not fit into memory.
    """
    problem = sim.problem
    places = KeptPlaces.at(problem, target)
    first, which = distinct_rows(np.array([pose.matrix.ravel() for pose in poses]))
    held = [poses[number] for number in first]
    primary = _sampled(coil, held, _points(sim.head, places.nodes, held), sim.cache)
    direct = not worth_storing(len(problem.nodes_mm), len(held))
    order = qr(primary, mode="r", pivoting=True)[1] if len(held) > 1 else np.zeros(1, np.intp)
    kept = np.empty((0, places.count, 3), np.float32)
    error, chosen = 0.0, order[:0]
    while len(chosen) < len(held):
        block = order[len(chosen) : len(chosen) + _BLOCK]
        fields = len(chosen) + len(block)
        remedy = "give a larger tol, or the recording in parts"
        check_room(12.0 * fields * places.count, f"{fields} fields at {places.count} places", remedy)
        field = primary_at(sim, coil, [held[k] for k in block], UNIT_DIDT, direct)
        new = problem.rows_at(field, len(block), places.places).astype(np.float32)
        error = _error(_shares(primary, chosen, block), kept, new, len(places.nodes))
        kept, chosen = np.concatenate([kept, new]), np.concatenate([chosen, block])
        tell(len(chosen), len(held), f"error {error:.1e}" if np.isfinite(error) else "")
        if error < tol:
            break
    shares = _shares(primary, chosen, np.arange(len(held)))
    shares[chosen] = np.eye(len(chosen))
    return PulseFields(places, kept, shares[which], error if len(chosen) < len(held) else 0.0)


def _points(head: HeadMesh, nodes: NDArray[np.intp], poses: list[Pose]) -> FloatArray:
    """Nodes at which primary fields are compared, denser under the coils."""
    middle = np.median([pose.center_mm for pose in poses], axis=0)
    near = np.sort(np.linalg.norm(head.points[nodes] - middle, axis=1))[0] + _NEAR_MM
    weight = 1.0 / (near**2 + np.sum((head.points[nodes] - middle) ** 2, axis=1)) ** 1.5
    count = min(_POINTS, len(nodes))
    chosen = np.random.default_rng(0).choice(len(nodes), count, replace=False, p=weight / weight.sum())
    return np.ascontiguousarray(head.points[nodes[np.sort(chosen)]])


def _sampled(coil: Coil, poses: list[Pose], points_mm: FloatArray, cache: Path | None) -> FloatArray:
    """(s * 3, n) primary fields at points."""
    evaluate = evaluator(coil, not worth_storing(len(points_mm), len(poses)), cache)
    return np.stack([evaluate(pose, points_mm, UNIT_DIDT).ravel() for pose in poses], axis=1)


def _shares(primary: FloatArray, chosen: NDArray[np.intp], wanted: NDArray[np.intp]) -> FloatArray:
    """(w, k) how much of the chosen primary fields each of the wanted ones is made of."""
    return np.asarray(np.linalg.lstsq(primary[:, chosen], primary[:, wanted], rcond=1e-10)[0].T)


def _error(shares: FloatArray, kept: NDArray[np.float32], new: NDArray[np.float32], nodes: int) -> float:
    """Largest relative error in gray matter of new fields (p, r, 3) as sums of the kept ones; inf without any."""
    if not len(kept):
        return float("inf")
    guess = np.tensordot(shares.astype(np.float32), kept[:, :nodes], axes=1)
    return float(
        np.max([np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(guess, new[:, :nodes], strict=True)])
    )
