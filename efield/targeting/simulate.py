"""Where coil meets head: the one place that knows both."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from functools import partial
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.coils.drive import Drive, total_dadt
from efield.coils.model import Coil, SampledField
from efield.coils.polarity import signed
from efield.coils.primary import dadt
from efield.fem.problem import FemProblem
from efield.ground import checks
from efield.ground.card import Card, Carded, counted, listed
from efield.ground.errors import CollisionError, InputError
from efield.ground.pose import Pose, given_pose
from efield.ground.progress import Progress, told
from efield.head.refinement import refined_head
from efield.head.soundness import check_sound
from efield.head.tissue import tissue_name
from efield.io.poses.reading import opened_one, read_aloud
from efield.targeting.device_primary import primary_of
from efield.targeting.field import EField
from efield.targeting.held import check_held
from efield.targeting.measuring import Measuring
from efield.targeting.named import CoilLike, ConductivityLike, HeadLike, the_coil, the_conductivity, the_head
from efield.targeting.naming import Place, place_of, target_of
from efield.targeting.prepared import prepared_coil, prepared_problem

#: dA/dt (n, 3) in V/m of a coil at a pose, at points (n, 3) in mm, at a dI/dt in A/s.
Evaluate = Callable[[Pose, ArrayLike, float], NDArray[np.float64]]

#: To store a coil's vector potential it is summed over the wires at so many points.
_POINTS_TO_STORE = 8e5


def worth_storing(nodes: int, placements: int) -> bool:
    """Whether storing a coil's vector potential takes less time than to sum over its wires for so many placements."""
    return nodes * placements > _POINTS_TO_STORE


class Simulator(Carded):
    """A head made ready: conductivities looked up, equations assembled and the solver prepared, once.

    Parameters
    ----------
    head : HeadMesh, or its name, file or folder
        As `load_head` takes it.
    conductivity : Conductivity, or mapping of tissues to S/m, optional
        The default table of `efield.head.tissue` unless given; of a mapping such as ``{"bone": 0.012}`` the values
        replace those of that table. If it has tensors, `tensor_report` says how many tetrahedra got one.
    tol : float
        Relative residual at which the linear solver stops.
    order : {1, 2}
        Of the finite elements: 2 has seven times the unknowns and follows a field that turns within an element.
    solver : {"auto", "multigrid", "direct"}
        How the linear system is solved; ``direct`` needs the extra ``mkl``.
    device : {"auto", "cpu", "cuda"}
        Where the equations are solved. "cuda" is an NVIDIA GPU, which needs the extra ``gpu``; "auto" takes one where
        there is one that holds the head (docs/gpu.md). `sim.problem.device` says which it is.
    cache : path_like, optional
        A folder in which the prepared solver is kept for the next simulator of this head and conductivity, and what is
        stored of coils for many placements, sealed: a file that was damaged or made by other versions is made again,
        and results are the same bits. Unless given, nothing is read or written.
    refine : Target, str or (3,) array_like, optional
        A place around which edges are made shorter before solving (`efield.head.refinement`): `head` is then the
        finer head, on which fields are, and `parents` (m,) the tetrahedron of the given head that each of its
        tetrahedra is part of.
    check_mesh : bool
        False solves on a mesh that is cut, overlaps itself or falls into parts as if all of that were meant.

    Raises
    ------
    InputError
        If the mesh is not whole (`efield.head.soundness`), a tissue tag has no conductivity, or tensors are given and
        none of them is in the head.
    SolverError
        If the device is "cuda" and its memory does not hold the head.

    Warns
    -----
    EfieldWarning
        If the device is "cuda" and the CPU computes, with the reason.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> coil = ef.load_coil("d70")
    >>> sim = ef.Simulator(head, {"bone": 0.012})
    >>> poses = [ef.place_coil(head, "C3", angle, coil=coil) for angle in (0, 45, 90)]
    >>> [field.e.shape for field in sim.solve_many(coil, poses, didt=80e6)] == 3 * [(len(head.tets), 3)]
    True
    """

    def __init__(
        self,
        head: HeadLike,
        conductivity: ConductivityLike | None = None,
        *,
        tol: float = 1e-8,
        order: int = 1,
        solver: str = "auto",
        device: str = "auto",
        cache: str | PathLike[str] | None = None,
        refine: Place | None = None,
        check_mesh: bool = True,
    ) -> None:
        head, self.conductivity = the_head(head), the_conductivity(conductivity)
        if checks.flag("check_mesh", check_mesh):
            check_sound(head)
        #: The head as it was given.
        self.given = head
        self.parents: NDArray[np.int32] | None = None
        if refine is not None:
            finer = refined_head(head, target_of(head, refine).center_mm)
            head, self.parents = finer.head, finer.parents
        self.head = head
        sigma, self.tensor_report = self.conductivity.per_tet_with_report(head)
        options: dict[str, Any] = {"tol": tol, "order": order, "solver": solver, "device": device}
        self.cache = None if cache is None else Path(cache)
        if self.cache is None:
            self.problem = FemProblem(head, sigma, **options)
        else:
            self.problem = prepared_problem(head, sigma, self.cache, **options)

    def solve(
        self,
        coil: CoilLike,
        pose: Pose | str | PathLike[str],
        didt: float = 1e6,
        *,
        current: str = "normal",
        target: Place | None = None,
        allow_collision: bool = False,
    ) -> EField:
        """The field of one placement.

        Parameters
        ----------
        coil : Coil, or its name or file
            As `load_coil` takes it.
        pose : Pose, or a file of one
            Coil to head; of a file with several ``FILE:NAME``.
        didt : float, A/s
            Rate of change of the coil current; 1e6 is 1 A/us.
        current : {"normal", "reverse"}
            Direction of the current; "reverse" turns E around. Which way "normal" induces is the coil's own
            (`efield.coils.polarity.induced_direction`).
        target : Target, str or (3,) array_like, optional
            What the coil is held for. A pose that misses it because its frame or units were mistaken, and lies on
            another part of the scalp for that reason, is refused.
        allow_collision : bool
            True computes any pose: a coil that reaches into the head, is turned away from it or is far off.

        Raises
        ------
        CollisionError
            If nobody holds a coil there (`efield.targeting.held`); the message names the likely mistake.
        SolverError
            If the solver does not reach its tolerance.
        """
        options: dict[str, Any] = {"current": current, "target": target, "allow_collision": allow_collision}
        return next(self.solve_many(coil, [opened_one(pose)], didt, **options))

    def solve_many(
        self,
        coil: CoilLike,
        poses: Iterable[Pose] | Pose | str | PathLike[str],
        didt: float = 1e6,
        *,
        current: str = "normal",
        target: Place | None = None,
        allow_collision: bool = False,
        exact: bool | None = None,
        progress: Progress = None,
    ) -> Iterator[EField]:
        """The fields of many placements, in order; blocks of right-hand sides are solved together.

        Parameters
        ----------
        coil : Coil, or its name or file
        poses : iterable of Pose, a Pose, or a file of them
            Consumed block by block, so that a long list costs no memory. A file as `read_poses` takes it.
        didt : float, A/s
        current, target, allow_collision
            As in `solve`; a pose is checked, in milliseconds, when its block is reached.
        exact : bool, optional
            True sums over the coil's wires for each placement, False takes its stored vector potential (error below
            1e-4 of the peak); by default whichever is quicker for so many placements (`worth_storing`).
        progress : bool or callable, optional
            True shows a bar; a callable is told (done, total, note) after each placement. The total is 0 where `poses`
            does not say how many they are.

        Raises
        ------
        CollisionError
            As `solve`, with the number of the pose.
        """
        rate, coil = signed(checks.rate("didt", didt), current), the_coil(coil)
        aim = None if target is None else place_of(self.head, target, "target")
        checked = not checks.flag("allow_collision", allow_collision)
        if isinstance(poses, str | PathLike):
            poses = read_aloud(poses)
        elif isinstance(poses, Pose):
            poses = [poses]
        done, total = 0, len(poses) if isinstance(poses, Sized) else 0
        with told(progress, "solving", "placements", total) as tell:
            for placements, primary in self._blocks(coil, poses, rate, exact, total, checked, aim):
                for field in self._fields(primary, placements):
                    done += 1
                    tell(done, total, "")
                    yield field

    def measured_many(
        self, coil: Coil, poses: Sequence[Pose], didt: float, measuring: Measuring, *, exact: bool | None, checked: bool
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Measures (b, m), and E (b, k, 3) in V/m, of some placements after the other, as `measuring` takes them.

        No field of the whole head is made, and of a GPU only these come back.

        Parameters
        ----------
        coil, poses, didt, exact
            As in `solve_many`.
        measuring : Measuring
        checked : bool
            Whether poses at which nobody holds a coil are refused.

        Raises
        ------
        CollisionError
            As `solve_many`.
        SolverError
            If the solver does not reach its tolerance.
        """
        rate = checks.rate("didt", didt)
        for placements, primary in self._blocks(coil, poses, rate, exact, len(poses), checked, None):
            yield from self.problem.fields_at(primary, len(placements), measuring.places, measuring)

    def _blocks(
        self,
        coil: Coil,
        poses: Iterable[Pose],
        rate: float,
        exact: bool | None,
        total: int,
        checked: bool,
        aim: NDArray[np.float64] | None,
    ) -> Iterator[tuple[list[tuple[Drive, ...]], Any]]:
        """As many placements as are solved together, looked at, and their primary fields; 0 is a total not known."""
        nodes, direct = self.problem.nodes_mm, bool(exact)
        if exact is None and total:
            direct = not worth_storing(len(nodes), total)
        remaining, done = iter(poses), 0
        while block := list(islice(remaining, self.problem.together)):
            for number, pose in enumerate(block, done):
                self._check(coil, given_pose(pose), aim, checked, "" if total == 1 else f"pose {number}: ")
            done += len(block)
            yield [(Drive(coil, pose, rate),) for pose in block], primary_at(self, coil, block, rate, direct)

    def _check(self, coil: Coil, pose: Pose, aim: NDArray[np.float64] | None, checked: bool, prefix: str) -> None:
        """Refuse a pose at which nobody holds the coil, with a prefix that says which it is."""
        if not checked:
            return
        try:
            check_held(self.head, coil, pose, aim)
        except CollisionError as error:
            raise CollisionError(f"{prefix}{error}") from None

    def solve_together(
        self,
        drives: Sequence[Drive] | Drive,
        *,
        allow_collision: bool = False,
        primary: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
    ) -> EField:
        """The field of several coils that are driven at the same time, each with its own pose and dI/dt.

        Parameters
        ----------
        drives : Drive, or sequence of them
            At least one. The field's `coil`, `pose` and `didt`, which its summary and pictures use, are the first's.
        allow_collision : bool
            As in `solve`, for all coils.
        primary : callable, optional
            Takes points (n, 3) in mm to the sum of dA/dt of the drives there (n, 3) in V/m, for those who have begun to
            compute it; by default `efield.coils.drive.total_dadt`.

        Returns
        -------
        EField
            By linearity the sum of the fields of the drives, at the cost of one.

        Raises
        ------
        InputError
            If there is no drive, or a rate looks like A/us.
        CollisionError
            If nobody holds one of the coils where it is.
        SolverError
            If the solver does not reach its tolerance.
        """
        drives = [drives] if isinstance(drives, Drive) else drives
        if not isinstance(drives, Sequence) or not drives or not all(isinstance(drive, Drive) for drive in drives):
            raise InputError("drives must hold one Drive(coil, pose, didt) or more, and nothing else")
        checked = not checks.flag("allow_collision", allow_collision)
        for number, drive in enumerate(drives):
            checks.rate("didt", drive.didt)
            self._check(drive.coil, drive.pose, None, checked, f"drive {number}: " if len(drives) > 1 else "")
        nodes, together = self.problem.nodes_mm, [tuple(drives)]
        if primary is not None:
            return next(self._fields(primary(nodes)[..., None], together))
        dadt = primary_of(self.problem, together, lambda _: True, lambda: total_dadt(drives, nodes)[..., None])
        return next(self._fields(dadt, together))

    def _fields(self, primary: Any, montages: list[tuple[Drive, ...]]) -> Iterator[EField]:
        """One field for each of the right-hand sides, as `FemProblem.answers` takes them."""
        answers = self.problem.answers(primary, len(montages))
        for (first, *others), answer in zip(montages, answers, strict=True):
            yield EField(
                head=self.head,
                e=answer.e,
                didt=first.didt,
                coil=first.coil,
                pose=first.pose,
                iterations=answer.iterations,
                recover=partial(self.problem.recovered_field, answer.phi, answer.dadt),
                consult=partial(self.problem.second_opinion, answer.phi, answer.dadt),
                others=tuple(others),
            )

    def _card(self) -> Card:
        values = self.conductivity.values
        sigma = (f"{tissue_name(tag)} {values[tag]:g}" for tag in self.head.tags)
        tensors = "" if self.tensor_report is None else ", with tensors"
        points, tets = len(self.head.points), len(self.head.tets)
        rows = (
            ("head", f"{counted(points, 'node')}, {counted(tets, 'tetrahedron', 'tetrahedra')}"),
            ("S/m", listed(sigma) + tensors),
            ("order", f"{self.problem.order}, solved to {self.problem.tol:g}, on {self.problem.device}"),
        )
        return Card("Simulator", rows)


def primary_at(sim: Simulator, coil: Coil, poses: Sequence[Pose], didt: float, exact: bool) -> Any:
    """The primary fields of a coil at several poses, as `FemProblem.answers` takes them."""
    nodes, evaluate = sim.problem.nodes_mm, evaluator(coil, exact, sim.cache)

    def in_memory() -> NDArray[np.float64]:
        return np.stack([evaluate(pose, nodes, didt) for pose in poses], axis=-1)

    placements = [(Drive.at_any_rate(coil, pose, didt),) for pose in poses]
    return primary_of(sim.problem, placements, lambda _: exact, in_memory, sim.cache)


def evaluator(coil: Coil, exact: bool, cache: Path | None = None) -> Evaluate:
    """The direct sum, or the stored vector potential (error below 1e-4 of the peak); a sampled field is as it is.

    What is stored is looked for in the folder `cache`, and kept there, where one is given.
    """
    sampled = any(isinstance(source, SampledField) for source in coil.sources)
    if exact or sampled:
        return partial(dadt, coil)
    return prepared_coil(coil, cache).dadt
