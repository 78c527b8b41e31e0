"""`ReducedBasis`: the field of any placement over one patch of scalp, in about a millisecond.

References
----------
Hasan NI et al. Real-time estimation of the electric field by a basis of coil placements. Imaging Neurosci 2025
(imag_a_00412), for the idea of a basis of placements. The sampling of the primary field, the map to the modes and the
certificate are described in docs/placements.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from efield.basis.answers import Answers, outside_error
from efield.basis.build import FEWEST, FRESH, MOST, AnyCoil, Plan, certified, grow
from efield.basis.certificate import Certificate
from efield.basis.modes import WIDTH, LinearModel
from efield.basis.outputs import Outputs
from efield.basis.probe_points import COUNT, COUNT_ANY, sample_points
from efield.basis.region_field import RegionField, tets_of
from efield.basis.scalp_patch import ScalpPatch
from efield.basis.snapshots import UNIT_DIDT, Snapshots
from efield.basis.storage import load, save
from efield.coils.model import Coil
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.card import Card, Carded
from efield.ground.errors import InputError
from efield.ground.pose import Pose, given_pose, given_poses
from efield.ground.progress import Progress, told
from efield.head.mesh import HeadMesh
from efield.io.poses.reading import opened, opened_one
from efield.targeting import given
from efield.targeting.fingerprint import coil_digest, digest, made_with
from efield.targeting.measures import Rows, TargetMeasures
from efield.targeting.named import CoilLike, the_coil
from efield.targeting.naming import Place, target_of
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target

#: Sets of rows that are kept ready for one placement after the other.
_PARTS = 4


@dataclass(frozen=True, eq=False, repr=False)
class ReducedBasis(Carded):
    """Modes of the field in one region of the brain for placements over one patch of scalp; made by `build`.

    Parameters
    ----------
    sim : Simulator
    coil : Coil or None
        None if it serves any.
    target : Target
    patch : ScalpPatch
        The placements it is made for.
    outputs : Outputs
        Its region of the brain: where it gives the field.
    points_mm : (s, 3) float
        Where it looks at the primary field.
    model : LinearModel
    certificate : Certificate
    settings : dict of str to str
        What it was built with.
    any_coil : AnyCoil, optional
        When a coil is one it serves; None for a basis of one coil.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> coil = ef.Coil.from_dipoles([[-40, 0, -10], [40, 0, -10]], [[0, 0, 0.1], [0, 0, -0.1]])
    >>> sim = ef.Simulator(head)
    >>> small = {"radius_mm": 6, "tilt_deg": 2, "distance_mm": (3, 5), "region_radius_mm": 15, "tol": 0.02}
    >>> basis = ef.ReducedBasis.build(sim, coil, "m1-hand-left", **small, max_solves=64)
    >>> basis.certificate.met
    True
    >>> pose = ef.place_coil(head, "m1-hand-left", 45, 4, coil=coil)
    >>> basis.field(pose, didt=80e6).e.shape == (len(basis.tets), 3)
    True
    """

    sim: Simulator
    coil: Coil | None
    target: Target
    patch: ScalpPatch
    outputs: Outputs
    points_mm: FloatArray
    model: LinearModel
    certificate: Certificate
    settings: dict[str, str]
    any_coil: AnyCoil | None = None

    @classmethod
    def build(
        cls,
        sim: Simulator,
        coil: Coil | str,
        region: Place,
        *,
        radius_mm: float = 25.0,
        tilt_deg: float = 8.0,
        distance_mm: tuple[float, float] = (2.0, 10.0),
        region_radius_mm: float | None = 35.0,
        at: str = "tets",
        clearance_mm: float = 5.0,
        tol: float = 1e-3,
        max_solves: int = 512,
        seed: int = 0,
        progress: Progress = None,
        checkpoint: str | PathLike[str] | None = None,
    ) -> "ReducedBasis":
        """Solve placements over a target until a basis of them is accurate enough.

        Parameters
        ----------
        sim : Simulator
        coil : Coil or "any"
            "any" is made from current loops and serves every coil whose wires keep the clearance.
        region : Target, str or (3,) array_like
            What the placements are over, and what the measures are of.
        radius_mm : float
            Placements reach this far from the scalp point over the target.
        tilt_deg : float
            Largest tilt against the scalp's smoothed normal.
        distance_mm : (float, float)
            Least and largest gap from the scalp to the casing, wherever it is smallest, as in `place_coil`. What is
            certified is the range of distances that the coil's origin then has; with "any" that is this range.
        region_radius_mm : float or None
            The field is given within this distance of the target's center; None for all of the brain.
        at : {"tets", "surface"}
            In the tetrahedra of gray and white matter (the field per element, as `EField.e`, and the recovered one, as
            `EField.in_tets`), or at the vertices of the middle of the cortex (recovered, as `EField.on_surface`).
        clearance_mm : float
            With "any": least distance from the scalp to a wire.
        tol : float
            Largest relative error of E wanted at any held-out placement.
        max_solves : int
            Most snapshots; `certificate.met` says if they were enough.
        seed : int
            The same seed gives the same basis.
        progress : bool or callable, optional
            True shows a bar; a callable is told (done, total, note) after every block of solves. The total is the most
            there will be: the build may stop earlier.
        checkpoint : path_like, optional
            Folder that keeps finished solves: a killed build continues there with the same result.

        Raises
        ------
        InputError
            If an argument is out of range, the target's tissue does not lie in the region, or the checkpoint was made
            with other settings.
        """
        region = target_of(given.simulator(sim).head, region, "region")
        checks.in_range("tol", tol, 1e-6, 0.5)
        limit, start = checks.whole("max_solves", max_solves, FEWEST, MOST), checks.whole("seed", seed, 0)
        checks.in_range("clearance_mm", clearance_mm, 1.0, 50.0)
        single = given.coil_or_any(coil)
        patch = ScalpPatch.around(sim.head, region, radius_mm, tilt_deg, distance_mm)
        outputs = Outputs.near(sim.problem, region, region_radius_mm, at)
        points = sample_points(sim.head, patch.frame[:3, 3], region, COUNT if single else COUNT_ANY)
        settings = made_with(sim, single) | {
            "target": repr(_named(region, sim.head)),
            "placements": repr((float(radius_mm), float(tilt_deg), patch.distance_mm, start)),
            "outputs": repr((at, len(outputs.numbers), len(outputs.nodes), region_radius_mm)),
            "limits": repr((float(clearance_mm) if single is None else None, limit)),
        }
        plan = Plan(sim, single, region, patch, outputs, points, float(clearance_mm), tol, limit, start)
        with told(progress, "building", "solves") as tell:
            patch, model, certificate, serves = grow(
                plan, settings, None if checkpoint is None else Path(checkpoint), tell
            )
        return cls(sim, single, region, patch, outputs, points, model, certificate, settings, serves)

    @property
    def tets(self) -> NDArray[np.intp]:
        """(k,) tetrahedra it gives the field of; refused on a surface."""
        return tets_of(self.outputs)

    def serves(self, coil: CoilLike | None) -> Coil:
        """The coil to use: the one given, or that of the basis.

        Raises
        ------
        InputError
            If the basis is for another coil, or is for any and none is given.
        """
        if coil is None:
            if self.coil is None:
                raise InputError("coil must be given to a basis that serves any coil; instead received none")
            return self.coil
        coil = the_coil(coil)
        if self.coil is None:
            return coil
        if coil is self.coil or coil_digest(coil) == self.settings["coil"]:
            return self.coil
        what = "another coil of the same name" if coil.name == self.coil.name else repr(coil.name)
        raise InputError(
            f"coil must be the one the basis was built for, {self.coil.name!r}; instead received {what}: build a basis "
            "for it"
        )

    def outside(self, pose: Pose, coil: Coil | None = None) -> str:
        """By how much a placement leaves what the basis is certified for, in words; empty if it does not.

        Parameters
        ----------
        pose : Pose
        coil : Coil, optional
            Needed with a basis for any coil.
        """
        return self._answers.sampled(given_pose(opened_one(pose)), UNIT_DIDT, self.serves(coil))[1]

    def field(self, pose: Pose, didt: float = 1e6, *, coil: Coil | None = None, outside: str = "raise") -> RegionField:
        """The field of one placement, as `Simulator.solve` gives it up to the certificate's error.

        Parameters
        ----------
        pose : Pose
        didt : float, A/s
        coil : Coil, optional
            Needed with a basis for any coil; else it must be the basis's own.
        outside : {"raise", "solve"}
            What to do with a pose outside the certified patch: refuse it, or solve it in full.

        Raises
        ------
        InputError
            If the pose is outside and `outside` is "raise"; the message says by how much.
        """
        checks.choice("outside", outside, ("raise", "solve"))
        pose = given_pose(opened_one(pose))
        rate, maker = checks.rate("didt", didt), self.serves(coil)
        sampled, by = self._answers.sampled(pose, rate, maker)
        if by and outside == "raise":
            raise outside_error(by)
        outputs, count = self.outputs, len(self.outputs.numbers)
        solved = self._answers.solved(maker, pose, rate) if by else None
        e = self.model(sampled, count).reshape(-1, 3) if solved is None else solved[:count]
        return RegionField(e, outputs, pose, rate, partial(self._recovered, sampled, solved))

    def _recovered(self, sampled: NDArray[np.float64], solved: NDArray[np.floating] | None) -> NDArray[np.floating]:
        return self.outputs.recovered(self.model(sampled).reshape(-1, 3) if solved is None else solved)

    def measures(
        self,
        poses: Iterable[Pose] | str | PathLike[str],
        didt: float = 1e6,
        target: Place | None = None,
        *,
        coil: Coil | None = None,
        focality: bool = False,
        outside: str = "raise",
    ) -> dict[str, NDArray[np.float64]]:
        """Measures of many placements, each (p,): those of `efield.targeting.measures.AT_TARGET`.

        On a surface their names begin with ``midsurface_``.

        What a placement gives does not depend, to the last bit, on the placements it is asked for with.

        Parameters
        ----------
        poses : iterable of Pose, or a file of them
        didt : float, A/s
        target : Target, str or (3,) array_like, optional
            The one the basis was built for unless given; all of its tissue must lie in the basis.
        coil : Coil, optional
            Needed with a basis for any coil; else it must be the basis's own.
        focality : bool
            Also `region_focality_50`, which touches all the gray matter of the basis.
        outside : {"raise", "solve"}
            What to do with poses outside the certified patch: refuse them all, or solve each of them in full.

        Raises
        ------
        InputError
            If a pose is outside the certified patch and `outside` is "raise", or part of the target is outside the
            basis.
        """
        checks.choice("outside", outside, ("raise", "solve"))
        all_poses, rate, maker = given_poses(opened(poses)), checks.rate("didt", didt), self.serves(coil)
        measures, rows = self._at(self.target if target is None else target_of(self.sim.head, target))
        gray = self.outputs.gray_rows if focality else None
        found, focal = np.empty((len(all_poses), len(measures.names))), np.empty(len(all_poses))
        for first in range(0, len(all_poses), WIDTH):
            batch = slice(first, first + WIDTH)
            sampled, solved = self._answers.batch(all_poses[batch], first, rate, maker, outside)
            found[batch] = measures.of_rows(self._answers.expanded(sampled, solved, rows.numbers), rows)
            if gray is not None:
                focal[batch] = self._answers.focality(self._answers.expanded(sampled, solved, gray.numbers), gray)
        table = dict(zip(measures.names, found.T, strict=True))
        return table | {self.outputs.focality: focal} if focality else table

    def on_rows(
        self, pose: Pose, rows: NDArray[np.intp], didt: float = 1e6, *, coil: Coil | None = None, outside: str = "raise"
    ) -> NDArray[np.float32]:
        """(r, 3) E in V/m of one placement at some rows of `outputs`: places, or the (node, tissue) pairs behind them.

        Parameters
        ----------
        pose : Pose
        rows : (r,) int
        didt : float, A/s
        coil : Coil, optional
            As in `measures`.
        outside : {"raise", "solve"}
            As in `measures`.
        """
        checks.choice("outside", outside, ("raise", "solve"))
        pose, rate, maker = given_pose(opened_one(pose)), checks.rate("didt", didt), self.serves(coil)
        sampled, by = self._answers.sampled(pose, rate, maker)
        if by and outside == "raise":
            raise outside_error(by)
        if by:
            return np.asarray(self._answers.solved(maker, pose, rate)[rows], np.float32)
        return self._part(rows)(sampled).reshape(-1, 3)

    def _part(self, rows: NDArray[np.intp]) -> LinearModel:
        """The model of some rows: a picture asks for the same ones again and again."""
        kept = next((part for known, part in self._parts if known is rows), None)
        if kept is None:
            kept = self.model.part(rows)
            self._parts[:] = [*self._parts[1 - _PARTS :], (rows, kept)]
        return kept

    @cached_property
    def _parts(self) -> list[tuple[NDArray[np.intp], LinearModel]]:
        return []

    def check(self, n: int = 16, seed: int = 1, *, progress: Progress = None) -> Certificate:
        """Test the basis, also a stored one, against full solves at fresh placements of its region.

        Parameters
        ----------
        n : int
            Placements; of each test coil with a basis for any coil.
        seed : int
            Other seeds give other placements; none of them are those the basis was made or certified with.
        progress : bool or callable, optional
            As in `build`.

        Returns
        -------
        Certificate
            With the tolerance and the solves of the basis's own.
        """
        checks.whole("n", n, 1)
        clearance = self.any_coil.clearance_mm if self.any_coil else 1.0
        tol, solves, start = self.certificate.tol, self.certificate.solves, checks.whole("seed", seed, 0)
        where = (self.target, self.patch, self.outputs, self.points_mm)
        plan = Plan(self.sim, self.coil, *where, clearance, tol, solves, start)
        inside = [
            (coil, pose)
            for coil, pose in plan.tests(FRESH, 2 * n)
            if not self._answers.sampled(pose, UNIT_DIDT, coil)[1]
        ]
        fresh = [pair for k, pair in enumerate(inside) if sum(pair[0] is other for other, _ in inside[:k]) < n]
        if not fresh:
            raise InputError(f"some of {2 * n} placements must lie on the patch; instead none does: give a larger n")
        with told(progress, "checking", "solves") as tell:
            shots = Snapshots(self.sim, self.outputs, len(fresh), {}, None, tell)
            return certified(plan, self.model, fresh, shots, solves)[0]

    def _at(self, target: Target) -> tuple[TargetMeasures, Rows]:
        """How fields are measured at a target, and the rows it takes; kept for the next call."""
        if target not in self._last:
            self._last.clear()
            self._last[target] = self.outputs.measured(self.sim.head, target)
        return self._last[target]

    @cached_property
    def _last(self) -> dict[Target, tuple[TargetMeasures, Rows]]:
        return {}

    @cached_property
    def _answers(self) -> Answers:
        return Answers(self.sim, self.patch, self.outputs, self.points_mm, self.model, self.any_coil)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the basis to a new folder; see `efield.basis.storage`."""
        save(replace(self, target=self.target.kept(self.sim.head)), path)

    @classmethod
    def load(cls, path: str | PathLike[str], sim: Simulator, coil: Coil | str | None = None) -> "ReducedBasis":
        """Read a basis that `save` wrote; refused unless head, conductivities and coil are those it was built with.

        Parameters
        ----------
        path : path_like
        sim : Simulator
        coil : Coil or "any", optional
            The basis's coil; "any", or nothing, for a basis that serves any.

        Raises
        ------
        InputError
            If it belongs to something else, or the folder is damaged.
        """
        given.simulator(sim)
        one = None if coil is None else given.coil_or_any(coil)
        return cls(sim, one, **load(path, made_with(sim, one)))

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            now = ": ReducedBasis.metrics is called ReducedBasis.measures now" if name == "metrics" else ""
            raise AttributeError(f"ReducedBasis has no attribute {name!r}{now}")

    def _card(self) -> Card:
        rows = (
            ("coil", "any" if self.coil is None else self.coil.name),
            ("target", self.target.name),
            ("field", f"V/m, in {self.outputs.words}"),
            ("placements", self.patch.words),
            ("largest error", self.certificate.words),
        )
        return Card("ReducedBasis", rows)


def _named(target: Target, head: HeadMesh) -> tuple[object, ...]:
    """What a checkpoint knows a target by; a region that is no ball by its tetrahedra."""
    ball = (target.center_mm.tolist(), target.radius_mm, target.tags)
    return ball if target.region is None else (*ball, digest(target.tets(head)))
