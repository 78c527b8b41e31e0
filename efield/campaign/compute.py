"""The work itself: one chunk, computed by the same steps wherever and whenever it is computed.

Every chunk is a function of the study and its number: placements are laid for the whole cell and cut, chunks are
computed as a whole, and the solver is multigrid, whose bits do not depend on the number of threads (the direct solver
does not promise the same bits twice).
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.basis.reduced_basis import ReducedBasis
from efield.campaign.costs import Costs, evaluation, kept, of_a_basis, place_name, unknowns, whose
from efield.campaign.disk import remove
from efield.campaign.files import BASES, COILS, POTENTIALS
from efield.campaign.routes import Routes
from efield.campaign.study import Cell, Chunk, Study
from efield.campaign.survey import TargetFacts
from efield.coils.model import Coil
from efield.ground.errors import InputError
from efield.ground.progress import Progress, told
from efield.ground.version import __version__
from efield.head.mesh import HeadMesh
from efield.io.sealed import digest_of
from efield.reciprocity.reciprocal import Reciprocal, reciprocal
from efield.sweeping.engines import Engine, at_rate, measure
from efield.sweeping.grid import Placements
from efield.targeting.fingerprint import digest, head_digest, whole_coil_digest
from efield.targeting.simulate import Simulator, evaluator
from efield.targeting.targets import Target

Arrays = dict[str, NDArray[Any]]

#: Placements of the first part of a chunk, after which it is first said how far it is.
_FIRST: Final = {"solve": 16, "sum": 16, "fast": 1024, "expanding": 1}


@dataclass(frozen=True, eq=False)
class Result:
    """A computed chunk.

    Parameters
    ----------
    arrays : dict of str to ndarray
        A value for each variable of the store.
    made_of : dict of str to str
        Hashes of head, conductivity, target and coil, and of the basis if there is one.
    """

    arrays: Arrays
    made_of: dict[str, str]


class Bench:
    """Computes chunks, and keeps what was prepared for the last one: work that is sorted by cell prepares little.

    Parameters
    ----------
    study : Study
    folder : Path or None
        Of the store, in which bases and potentials are kept; without one nothing is, and there are no bases.
    say : callable, optional
        Called with what is being prepared: ``"head mni152"`` and the like.
    """

    def __init__(self, study: Study, folder: Path | None, say: Callable[[str], None] | None = None) -> None:
        self.study, self._folder, self.routes = study, folder, Routes(study)
        self._say = say or (lambda text: None)
        self._kept: dict[str, tuple[object, Any]] = {}
        self._built = 0
        #: How many heads were prepared.
        self.heads = 0
        #: What the work took so far.
        self._made = set() if folder is None else kept(self.routes, folder)
        self.costs = Costs(made={*self._made})

    def chunk(self, chunk: Chunk, missing: NDArray[np.intp] | None = None, progress: Progress = None) -> Result:
        """Compute one chunk.

        Parameters
        ----------
        chunk : Chunk
        missing : (k,) int, optional
            Which of its placements, counted from its first; all of them by default.
        progress : bool or callable, optional
            Told (done, total, note) of placements.

        Raises
        ------
        InputError, SolverError
            As the engine does.
        """
        study, cell = self.study, chunk.cell
        sim, target, coil = self.prepared(cell)
        engine = self._engine(cell, sim, target, coil)
        numbers = chunk.first + (np.arange(chunk.count) if missing is None else missing)
        part = self._placements(cell, sim.head, target, coil, numbers)
        region = target if study.fields else None
        exact = self.routes.exact(cell, len(sim.head.points))
        self._store(cell, engine, sim, coil, exact)
        with self._evaluating(cell, coil, sim, len(part), progress) as tell:
            table = measure(engine, coil, part, target, region=region, exact=exact, allow_collision=True, progress=tell)
        arrays = self._arrays(table, part, coil, numbers)
        if isinstance(engine, ReducedBasis):
            arrays["certified_error"] = np.array(engine.certificate.field.max)
        if region is not None:
            arrays["tets"] = region.tets(sim.head)
        made_of = self._made_of(cell, sim, coil, engine) | {"target": TargetFacts.of(target, sim.head).digest}
        return Result(arrays, made_of | {"route": self.routes.name(cell, len(sim.head.points))})

    def prepared(self, cell: Cell) -> tuple[Simulator, Target, Coil]:
        """The simulator, the target and the coil of a cell."""
        # What is dropped first is what the next needs room for.
        sim = self._keep("head", cell.head, lambda: self._simulator(cell.head), ("target", "engine"))
        place = (cell.head, cell.target)
        target = self._keep("target", place, lambda: self.study.targets[cell.target].on(sim.head, self.study.base))
        return sim, target, self.routes.coil(cell.coil)

    @contextmanager
    def _evaluating(
        self, cell: Cell, coil: Coil, sim: Simulator, count: int, progress: Progress
    ) -> Iterator[Callable[[int, int, str], None]]:
        """Times placements from the first word on how far they are, which comes when all is warm."""
        kind, units = evaluation(self.routes, cell, unknowns(len(sim.head.points), self.study.engine.order))
        said: list[tuple[int, float]] = []
        with told(progress, "measuring", "placements", count) as tell:

            def timed(done: int, total: int, note: str) -> None:
                if done:
                    said.append((done, perf_counter()))
                tell(done, total, note)

            begun = perf_counter()
            yield timed
            ended = perf_counter()
        # The first part loads what is compiled and looks around the head: it says little of the next.
        done, since = next((entry for entry in said if entry[0] >= _FIRST[kind]), (0, begun))
        if done == count:
            done, since = 0, begun
        self.costs.add(kind, units * (count - done), ended - since, of=whose(kind, cell))

    @staticmethod
    def _nodes(sim: Simulator) -> float:
        return unknowns(len(sim.head.points), sim.problem.order)

    def _store(self, cell: Cell, engine: Engine, sim: Simulator, coil: Coil, exact: bool | None) -> None:
        """Store the potential that placements are taken from: of the adjoint currents, or of the coil."""
        if exact or isinstance(engine, ReducedBasis):
            return
        if not isinstance(engine, Reciprocal):
            if ("compress", cell.coil) not in self.costs.made:
                with self.costs.timing("compress", 1.0, cell.coil):
                    evaluator(coil, False, sim.cache)
            return
        if engine.stored:
            return
        kept, begun = engine.kept, perf_counter()
        if not kept:
            self._say(f"storing the potential of {place_name(self.study, cell)}")
        engine.store()
        self.costs.made.add(("potential", cell.head, cell.target))
        if not kept:
            self.costs.add("potential", 1.0, perf_counter() - begun, of=cell.head)

    def _arrays(
        self, table: dict[str, NDArray[np.floating]], part: Placements, coil: Coil, numbers: NDArray[np.intp]
    ) -> Arrays:
        study = self.study
        rates = [at_rate(table, rate[numbers] if np.ndim(rate) else rate) for rate in study.rates(coil)]
        absent = np.full(len(part), np.nan)  # a target without a direction has no `along`
        arrays: Arrays = {name: np.stack([rate.get(name, absent) for rate in rates]) for name in study.measures}
        arrays["pose"] = part.matrices
        if "lifted_mm" in part.coordinates and part.plane is not None:
            arrays |= {"lifted_mm": part.coordinates["lifted_mm"], "plane": part.plane}
        if "e" in table:
            arrays["e"] = table["e"]
        return arrays

    def _keep(self, kind: str, key: object, make: Callable[[], Any], drop: tuple[str, ...] = ()) -> Any:
        """The last thing of a kind that was made, or a new one; the old one is let go first."""
        if kind not in self._kept or self._kept[kind][0] != key:
            for name in (kind, *drop):
                self._kept.pop(name, None)
            self._kept[kind] = (key, make())
        return self._kept[kind][1]

    def _simulator(self, number: int) -> Simulator:
        entry, engine = self.study.heads[number], self.study.engine
        self._say(f"head {entry.label}")
        self.heads += 1
        begun = perf_counter()
        head = entry.load(self.study.base)
        options: dict[str, Any] = {"tol": engine.tol, "order": engine.order, "solver": "multigrid"}
        sim = Simulator(head, entry.conductivities(), device=engine.device, **options)
        # What is stored of coils is kept with the study; of the head itself, which is large, nothing.
        sim.cache = None if self._folder is None else self._folder / POTENTIALS / COILS
        if sim.problem.device != engine.device:
            raise InputError(
                f"the study must be computed on a GPU (engine.device) alike everywhere; instead head {entry.label} "
                'would be on the CPU here: see the warning, or start a study with engine.device = "cpu"'
            )
        self.costs.add("head", self._nodes(sim), perf_counter() - begun)
        self.costs.made = {what for what in self.costs.made if what[0] == "compress"} | self._made | {("head", number)}
        return sim

    def _placements(
        self, cell: Cell, head: HeadMesh, target: Target, coil: Coil, numbers: NDArray[np.intp] | None = None
    ) -> Placements:
        """Some placements of a cell; all of them unless their numbers are given."""
        study = self.study
        numbers = np.arange(study.count) if numbers is None else numbers
        if study.poses is not None:
            return Placements(study.poses[numbers])
        assert study.grid is not None  # noqa: S101 - a study has a grid or poses
        with self.costs.timing("laying", len(numbers), of=cell.coil):
            return study.grid.on(head, target, coil, current=study.drive.current, numbers=numbers)

    def _engine(self, cell: Cell, sim: Simulator, target: Target, coil: Coil) -> Engine:
        kind = self.study.engine.kind
        if kind == "full":
            return sim
        if kind == "reciprocal":
            return self._keep("engine", (cell.head, cell.target), lambda: self._adjoint(cell, sim, target))  # type: ignore[no-any-return]
        self.costs.made.add(("solve", cell))
        return self._keep("engine", cell, lambda: self._basis(cell, sim, target, coil))  # type: ignore[no-any-return]

    def _adjoint(self, cell: Cell, sim: Simulator, target: Target) -> Reciprocal:
        """The adjoint solves of a target, or what was kept of them."""
        name, begun = place_name(self.study, cell), perf_counter()
        solved = False

        def tell(done: int, total: int, note: str) -> None:
            nonlocal solved
            if not solved:
                self._say(f"adjoint solves of {name}")
            solved = True

        cache = None if self._folder is None else self._folder / POTENTIALS / name
        found = reciprocal(sim, target, axes=True, cache=cache, progress=tell)
        self.costs.made.add(("adjoint", cell.head, cell.target))
        if solved:
            self.costs.add("adjoint", self._nodes(sim), perf_counter() - begun, of=cell.head)
        return found

    def basis_folder(self, name: str) -> Path:
        """Where the basis of a cell is kept."""
        given = self.study.engine.basis
        if given is None:
            assert self._folder is not None  # noqa: S101 - workers without the store refuse such studies
            return self._folder / BASES / name
        folder = self.study.base / given
        return folder if (folder / "basis.json").exists() else folder / name

    def _basis(self, cell: Cell, sim: Simulator, target: Target, coil: Coil) -> ReducedBasis:
        """The cell's basis, built unless it is there; always as it is read back, so that its bits are the same."""
        folder = self.basis_folder(self.study.cell_name(cell))
        if not folder.exists() and self.study.engine.basis is None:
            self._build(folder, cell, sim, target, coil)
        return ReducedBasis.load(folder, sim, coil)

    def _build(self, folder: Path, cell: Cell, sim: Simulator, target: Target, coil: Coil) -> None:
        engine, solves = self.study.engine, folder.with_name(f"{folder.name}.solves")
        folder.parent.mkdir(exist_ok=True)
        radius, tilt, distance = self._range()
        name = self.study.cell_name(cell)

        said: list[tuple[int, float]] = []
        begun = perf_counter()

        def tell(done: int, planned: int, note: str) -> None:
            said.append((done, perf_counter()))
            self._say(f"basis of {name}, {done} of at most {planned} solves")

        basis = ReducedBasis.build(
            sim,
            coil,
            target,
            radius_mm=radius,
            tilt_deg=tilt,
            distance_mm=distance,
            region_radius_mm=engine.region_radius_mm,
            tol=engine.basis_tol,
            max_solves=engine.max_solves,
            seed=engine.seed,
            checkpoint=solves,
            progress=tell,
        )
        basis.save(folder)
        remove(solves)
        # As if all the solves that are allowed had been needed: so is the estimate of the next.
        units = of_a_basis(self._nodes(sim), engine.max_solves)
        self.costs.add("solve", units, self._typical(begun, said), of=cell.head)

    def _typical(self, begun: float, said: list[tuple[int, float]]) -> float:
        """Seconds that a basis like the one just built takes.

        Before the first block of solves the first one also loads what is compiled: the next takes less than that, and
        more than its solves. So long as there is one only, the mean of their ratio to both is the guess.
        """
        (first, since), (done, _), now = said[0], said[-1], perf_counter()
        whole, solves = now - begun, (now - since) * done / max(done - first, 1)
        self._built += 1
        if self._built == 2:
            self.costs.forget("solve")
        return float(np.sqrt(whole * min(solves, whole))) if self._built == 1 else whole

    def _range(self) -> tuple[float, float, tuple[float, float]]:
        """Radius, tilt and gaps that cover the placements: the scalp under a grid is not its plane."""
        engine, grid = self.study.engine, self.study.grid
        if grid is None:
            return engine.radius_mm or 25.0, engine.tilt_deg or 8.0, (*(engine.distance_mm or (2.0, 10.0)),)[:2]  # type: ignore[return-value]
        radius = grid.radius_mm + 3.0 if engine.radius_mm is None else engine.radius_mm
        steepest = max(float(np.hypot(*tilt)) for tilt in grid.tilts_deg)
        tilt = steepest + 3.0 if engine.tilt_deg is None else engine.tilt_deg
        if engine.distance_mm is not None:
            return radius, tilt, (engine.distance_mm[0], engine.distance_mm[1])
        return radius, tilt, (max(0.5, min(grid.distances_mm) - 1.0), max(grid.distances_mm) + 1.0)

    def _made_of(self, cell: Cell, sim: Simulator, coil: Coil, engine: Engine) -> dict[str, str]:
        hashes: dict[str, str] = self._keep(
            "hashes",
            cell,
            lambda: {
                "head": head_digest(sim.head),
                "conductivity": digest(sim.problem.sigma),
                "coil": whole_coil_digest(coil),
            },
        )
        if not isinstance(engine, ReducedBasis):
            return hashes
        note = self.basis_folder(self.study.cell_name(cell)) / "basis.json"
        return hashes | {"basis": digest_of(note) or "missing"}


def plain_task(study: Study, chunk: Chunk, missing: NDArray[np.intp] | None = None) -> dict[str, Any]:
    """A chunk as plain values, to be sent to another process; see `efield.campaign.worker`."""
    cell = chunk.cell
    return {
        "efield": __version__,
        "document": json.dumps(study.document),
        "base": str(study.base),
        "folder": str(Path(study.output).absolute()),
        "chunk": [cell.head, cell.target, cell.coil, chunk.number, chunk.first, chunk.count],
        "missing": None if missing is None else missing.tolist(),
    }
