"""`ReducedBasis`: the field of any placement over one region of scalp, in about a millisecond.

References
----------
Hasan NI et al. Real-time estimation of the electric field by a basis of coil placements. Imaging Neurosci 2025
(imag_a_00412), for the idea of a basis of placements. The sampling of the primary field, the map to the modes and the
certificate are described in docs/search.md.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

from efield.coils.compressed import compress
from efield.coils.model import Coil, SampledField
from efield.coils.primary import dadt
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER
from efield.search.certificate import Certificate, certify
from efield.search.fingerprint import fingerprints
from efield.search.measures import Measures
from efield.search.modes import LinearModel, fit
from efield.search.region import ScalpRegion
from efield.search.samples import sample_points
from efield.search.snapshots import UNIT_DIDT, Progress, Snapshots
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target

FloatArray = NDArray[np.float64]

#: The basis is fitted when it has this many snapshots; the build stops at the first that is good enough.
_STAGES: Final = (64, 96, 128, 192, 256, 384, 512, 768, 1024)

#: Placements that choose the regularization and say when to stop, and placements that only certify.
_CHECKS: Final = 16
_HELD_OUT: Final = 32

#: The build stops when the checks are this share of the tolerance: the held-out placements will be a little worse.
_STOP: Final = 0.5

#: Placements whose fields are expanded together.
_BATCH: Final = 64


@dataclass(frozen=True, eq=False)
class RegionField:
    """The field of one placement on the tetrahedra of a basis.

    Parameters
    ----------
    e : (k, 3) float, V/m
    tets : (k,) int
        Tetrahedra of the head the rows of `e` belong to.
    pose : Pose
    didt : float
        A/s.
    """

    e: NDArray[np.floating]
    tets: NDArray[np.intp]
    pose: Pose
    didt: float

    @cached_property
    def magnitude(self) -> NDArray[np.floating]:
        """(k,) |E| in V/m."""
        return np.asarray(np.linalg.norm(self.e, axis=1))


@dataclass(frozen=True, eq=False)
class ReducedBasis:
    """Modes of the field in one region of the brain for placements over one region of scalp; made by `build`.

    Parameters
    ----------
    sim : Simulator
    coil : Coil
    target : Target
    region : ScalpRegion
        The placements it is made for.
    tets : (k,) int
        Tetrahedra it gives the field of.
    points_mm : (s, 3) float
        Where it looks at the primary field.
    model : LinearModel
    certificate : Certificate
    settings : dict of str to str
        What it was built with.
    """

    sim: Simulator
    coil: Coil
    target: Target
    region: ScalpRegion
    tets: NDArray[np.intp]
    points_mm: FloatArray
    model: LinearModel
    certificate: Certificate
    settings: dict[str, str]

    @classmethod
    def build(
        cls,
        sim: Simulator,
        coil: Coil,
        region: Target,
        *,
        radius_mm: float = 25.0,
        tilt_deg: float = 8.0,
        distance_mm: tuple[float, float] = (2.0, 10.0),
        region_radius_mm: float = 35.0,
        tol: float = 1e-3,
        max_solves: int = 384,
        seed: int = 0,
        progress: Callable[[Progress], None] | None = None,
        checkpoint: str | PathLike[str] | None = None,
    ) -> "ReducedBasis":
        """Solve placements over a target until a basis of them is accurate enough.

        Parameters
        ----------
        sim : Simulator
        coil : Coil
        region : Target
            What the placements are over, and what the measures are of.
        radius_mm : float
            Placements reach this far from the scalp point over the target.
        tilt_deg : float
            Largest tilt against the scalp's smoothed normal.
        distance_mm : (float, float)
            Least and largest distance from the scalp to the coil's origin. A placement that would touch the head is
            lifted until it is clear, and the range then widened by as much.
        region_radius_mm : float
            The field is given in gray and white matter within this distance of the target's center.
        tol : float
            Largest relative error of E wanted at any held-out placement.
        max_solves : int
            Most snapshots; `certificate.met` says if they were enough.
        seed : int
            The same seed gives the same basis.
        progress : callable, optional
            Called with a `Progress` after every block of solves.
        checkpoint : path_like, optional
            Folder that keeps finished solves: a killed build continues there with the same result.

        Raises
        ------
        InputError
            If an argument is out of range, the target's tissue does not lie in the region, or the checkpoint was made
            with other settings.
        """
        checks.in_range("tol", tol, 1e-6, 0.5)
        checks.in_range("max_solves", max_solves, _STAGES[0], _STAGES[-1])
        scalp_region = ScalpRegion.around(sim.head, region, radius_mm, tilt_deg, distance_mm)
        tets = _brain_tets(sim, region, checks.positive("region_radius_mm", region_radius_mm))
        points = sample_points(sim.head, scalp_region, region)
        settings = fingerprints(sim, coil) | {
            "target": repr((region.center_mm.tolist(), region.radius_mm, region.tags)),
            "placements": repr((float(radius_mm), float(tilt_deg), scalp_region.distance_mm, int(seed))),
            "tets": repr((len(tets), float(region_radius_mm))),
            "solver": repr(sim.problem.tol),
        }
        folder = None if checkpoint is None else Path(checkpoint)
        stages = [stage for stage in _STAGES if stage <= max_solves]
        planned = stages[-1] + _CHECKS + _HELD_OUT
        shots = Snapshots(sim, coil, tets, planned, settings, folder, progress)
        return cls._grow(shots, scalp_region, region, points, stages, tol, seed, settings)

    @classmethod
    def _grow(
        cls,
        shots: Snapshots,
        region: ScalpRegion,
        target: Target,
        points: FloatArray,
        stages: list[int],
        tol: float,
        seed: int,
        settings: dict[str, str],
    ) -> "ReducedBasis":
        sim, coil = shots.sim, shots.coil
        volumes = sim.head.volumes[shots.tets]
        train, check, held = (
            region.poses(count, (seed, part), sim.head, coil)
            for part, count in enumerate((stages[-1], _CHECKS, _HELD_OUT))
        )
        region = _widened(region, [*train, *check])
        columns = len(shots.tets) * 3
        check_pair = (shots.fields("check", check).reshape(columns, -1), _samples(coil, points, check, UNIT_DIDT))
        samples = _samples(coil, points, train, UNIT_DIDT)
        fields = np.empty((columns, 0))
        for stage in stages:
            more = shots.fields("train", train[:stage], fields.shape[1]).reshape(columns, -1)
            fields = np.concatenate([fields, more], axis=1)
            model, shots.error = fit(fields, samples[:, :stage], volumes, check_pair, tol)
            if shots.error <= _STOP * tol:
                break
        exact = np.moveaxis(shots.fields("held-out", held), 2, 0)
        fast = model.fields(_samples(coil, points, held, UNIT_DIDT))
        rows = _rows(shots.tets, target.tets(sim.head))
        measured = (Measures(volumes[rows], target.direction), rows)
        certificate = certify(fast, exact, volumes, measured, tol, fields.shape[1])
        return cls(sim, coil, target, region, shots.tets, points, model, certificate, settings)

    def field(self, pose: Pose, didt: float = 1e6, *, outside: str = "raise") -> RegionField:
        """The field of one placement, as `Simulator.solve` gives it up to the certificate's error.

        Parameters
        ----------
        pose : Pose
        didt : float, A/s
        outside : {"raise", "solve"}
            What to do with a pose outside the certified region: refuse it, or solve it in full.

        Raises
        ------
        InputError
            If the pose is outside and `outside` is "raise"; the message says by how much.
        """
        checks.choice("outside", outside, ("raise", "solve"))
        by = self.region.outside(pose)
        if by and outside == "raise":
            raise _outside_error(by)
        if by:
            e = self.sim.solve(self.coil, pose, didt).e[self.tets]
            return RegionField(e, self.tets, pose, didt)
        samples = self._evaluate(pose, self.points_mm, checks.number("didt", didt)).ravel()
        return RegionField(self.model(samples).reshape(-1, 3), self.tets, pose, didt)

    def metrics(
        self, poses: Iterable[Pose], didt: float = 1e6, target: Target | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Measures of many placements at a target (see `efield.search.measures`), each (p,) in V/m.

        Parameters
        ----------
        poses : iterable of Pose
        didt : float, A/s
        target : Target, optional
            The one the basis was built for unless given; all of its tissue must lie in the basis.

        Raises
        ------
        InputError
            If a pose is outside the certified region, or part of the target is outside the basis.
        """
        all_poses, rate = list(poses), checks.number("didt", didt)
        for number, pose in enumerate(all_poses):
            if by := self.region.outside(pose):
                raise _outside_error(f"pose {number}: {by}")
        chosen = target or self.target
        rows = _rows(self.tets, chosen.tets(self.sim.head))
        measures = Measures(self.sim.head.volumes[self.tets[rows]], chosen.direction)
        part = LinearModel(
            self.model.modes.reshape(len(self.tets), 3, -1)[rows].reshape(3 * len(rows), -1), self.model.to_modes
        )
        found: list[tuple[float, ...]] = []
        for first in range(0, len(all_poses), _BATCH):
            batch = all_poses[first : first + _BATCH]
            samples = np.stack([self._evaluate(pose, self.points_mm, rate).ravel() for pose in batch], axis=1)
            found += [measures.of(e) for e in part.fields(samples)]
        table = np.array(found).reshape(len(found), len(measures.names))
        return dict(zip(measures.names, table.T, strict=True))

    @cached_property
    def _evaluate(self) -> Callable[[Pose, FloatArray, float], FloatArray]:
        return _evaluator(self.coil)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the basis to a new folder; see `efield.search.storage`."""
        from efield.search.storage import save

        save(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str], sim: Simulator, coil: Coil) -> "ReducedBasis":
        """Read a basis that `save` wrote; refused unless head, conductivities and coil are those it was built with.

        Parameters
        ----------
        path : path_like
        sim : Simulator
        coil : Coil

        Raises
        ------
        InputError
            If it belongs to something else, or the folder is damaged.
        """
        from efield.search.storage import load

        return load(path, sim, coil)


def _outside_error(by: str) -> InputError:
    return InputError(
        f"the pose must lie in the region the basis is certified for; instead it is outside: {by}; "
        'move the coil, build a wider basis, or give outside="solve"'
    )


def _brain_tets(sim: Simulator, target: Target, radius_mm: float) -> NDArray[np.intp]:
    head = sim.head
    near = np.linalg.norm(head.barycenters - target.center_mm, axis=1) <= radius_mm
    tets = np.flatnonzero(near & np.isin(head.tissue, (WHITE_MATTER, GRAY_MATTER)))
    _rows(tets, target.tets(head))
    return tets


def _rows(tets: NDArray[np.intp], wanted: NDArray[np.intp]) -> NDArray[np.intp]:
    """Positions of the wanted tetrahedra in an ascending list."""
    rows = np.searchsorted(tets, wanted)
    missing = ~np.isin(wanted, tets)
    if missing.any():
        raise InputError(
            "the target's tissue must lie in the gray and white matter of the basis; instead "
            f"{missing.sum()} of its {len(wanted)} tetrahedra do not: enlarge region_radius_mm"
        )
    return rows


def _widened(region: ScalpRegion, poses: list[Pose]) -> ScalpRegion:
    """The region with the distances that lifted coils really had."""
    low, high = region.distance_mm
    farthest = max(region.station(pose).distance_mm for pose in poses)
    return ScalpRegion(region.frame, region.shape, region.radius_mm, region.tilt_deg, (low, max(high, farthest)))


def _evaluator(coil: Coil) -> Callable[[Pose, FloatArray, float], FloatArray]:
    sampled = any(isinstance(source, SampledField) for source in coil.sources)
    evaluate = partial(dadt, coil) if sampled else compress(coil).dadt

    def on_one_thread(pose: Pose, points: FloatArray, didt: float) -> FloatArray:
        """A few hundred points take less time than waking the other threads (0.08 ms against 2 ms on busy cores)."""
        threads = numba.get_num_threads()
        numba.set_num_threads(1)
        try:
            return evaluate(pose, points, didt)
        finally:
            numba.set_num_threads(threads)

    return on_one_thread


def _samples(coil: Coil, points: FloatArray, poses: list[Pose], didt: float) -> FloatArray:
    """(s * 3, p) primary field at the sample points."""
    evaluate = _evaluator(coil)
    return np.stack([evaluate(pose, points, didt).ravel() for pose in poses], axis=1)
