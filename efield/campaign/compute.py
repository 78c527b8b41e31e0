"""The work itself: one chunk, computed by the same steps wherever and whenever it is computed.

Every chunk is a function of the study and its number: placements are laid for the whole cell and cut, chunks are
computed as a whole, and the solver is multigrid, whose bits do not depend on the number of threads (the direct solver
does not promise the same bits twice).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from efield.basis.reduced_basis import ReducedBasis
from efield.campaign.costs import BASIS_TESTS, Costs, unknowns
from efield.campaign.disk import remove
from efield.campaign.study import Cell, Chunk, Study
from efield.campaign.survey import TargetFacts
from efield.coils.model import Coil
from efield.ground.progress import Progress
from efield.ground.version import __version__
from efield.head.mesh import HeadMesh
from efield.io.sealed import digest_of
from efield.reciprocity.reciprocal import Reciprocal, reciprocal
from efield.sweeping.engines import Engine, at_rate, measure, sums_exactly
from efield.sweeping.grid import Placements
from efield.targeting.fingerprint import coil_digest, digest, head_digest
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target

Arrays = dict[str, NDArray[Any]]


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
    bases : Path
        Folder of the reduced bases.
    say : callable, optional
        Called with what is being prepared: ``"head mni152"`` and the like.
    """

    def __init__(self, study: Study, bases: Path, say: Callable[[str], None] | None = None) -> None:
        self.study, self._bases = study, bases
        self._say = say or (lambda text: None)
        self._kept: dict[str, tuple[object, Any]] = {}
        #: How many heads were prepared.
        self.heads = 0
        #: What the work took so far.
        self.costs = Costs()

    def chunk(self, chunk: Chunk, progress: Progress = None) -> Result:
        """Compute one chunk.

        Parameters
        ----------
        chunk : Chunk
        progress : bool or callable, optional
            Told (done, total, note) of placements.

        Raises
        ------
        InputError, SolverError
            As the engine does.
        """
        study, cell = self.study, chunk.cell
        # What is dropped first is what the next needs room for.
        sim = self._keep("head", cell.head, lambda: self._simulator(cell.head), ("target", "placements", "engine"))
        place = (cell.head, cell.target)
        target = self._keep("target", place, lambda: study.targets[cell.target].on(sim.head, study.base))
        coil = self._keep(f"coil {cell.coil}", cell.coil, lambda: study.coils[cell.coil].load(study.base))
        placements = self._keep("placements", cell, lambda: self._placements(cell, sim.head, target, coil))
        engine = self._engine(cell, sim, target, coil, placements)
        part = placements[chunk.first : chunk.first + chunk.count]
        region = target if study.fields else None
        exact = self._exact(cell, engine, coil)
        if isinstance(engine, Reciprocal) and not exact:
            self._store(cell, engine)
        begun = perf_counter()
        table = measure(engine, coil, part, target, region=region, exact=exact, progress=progress)
        kind, units = self._answered(engine, exact)
        self.costs.add(kind, units * len(part), perf_counter() - begun)
        arrays = self._arrays(table, part, coil, target)
        if isinstance(engine, ReducedBasis):
            arrays["certified_error"] = np.array(engine.certificate.field.max)
        if region is not None:
            arrays["tets"] = region.tets(sim.head)
        made_of = self._made_of(cell, sim, coil, engine) | {"target": TargetFacts.of(target, sim.head).digest}
        return Result(arrays, made_of)

    def _answered(self, engine: Engine, exact: bool | None) -> tuple[str, float]:
        """The kind of work that a placement was, and its units."""
        if isinstance(engine, ReducedBasis):
            return "expanding", 1.0
        if isinstance(engine, Reciprocal):
            return ("sum", len(engine.head.points)) if exact else ("fast", 1.0)
        return "solve", self._nodes(engine)

    @staticmethod
    def _nodes(sim: Simulator) -> float:
        return unknowns(len(sim.head.points), sim.problem.order)

    def _store(self, cell: Cell, engine: Reciprocal) -> None:
        """Store the potential of the adjoint currents, which is most of the work for the first coil of a target."""
        if engine.stored:
            return
        self._say(f"storing the potential of {self.study.cell_name(cell).rsplit('.', 1)[0]}")
        with self.costs.timing("potential", 1.0, cell.head, cell.target):
            engine.store()

    def _exact(self, cell: Cell, engine: Engine, coil: Coil) -> bool | None:
        """Whether the coil is summed over its sources: chosen for the whole cell, so that its chunks are alike."""
        asked = True if self.study.engine.exact else None
        if isinstance(engine, ReducedBasis):
            return asked
        key = f"exact {cell}"
        # Coils share what is stored for a target.
        shared = self.study.count * (len(self.study.coils) if isinstance(engine, Reciprocal) else 1)
        return bool(self._keep(key, cell, lambda: sums_exactly(engine, coil, shared, asked)[0]))

    def _arrays(self, table: dict[str, NDArray[np.floating]], part: Placements, coil: Coil, target: Target) -> Arrays:
        study = self.study
        rates = [at_rate(table, rate) for rate in study.drive.didt(coil)]
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
        sim = Simulator(head, entry.conductivities(), tol=engine.tol, order=engine.order, solver="multigrid")
        self.costs.add("head", self._nodes(sim), perf_counter() - begun)
        self.costs.made = {("head", number)}
        return sim

    def _placements(self, cell: Cell, head: HeadMesh, target: Target, coil: Coil) -> Placements:
        if self.study.poses is not None:
            return Placements(self.study.poses)
        assert self.study.grid is not None
        with self.costs.timing("laying", self.study.count, cell):
            return self.study.grid.on(head, target, coil, current=self.study.drive.current)

    def _engine(self, cell: Cell, sim: Simulator, target: Target, coil: Coil, placements: Placements) -> Engine:
        kind, name = self.study.engine.kind, self.study.cell_name(cell)
        if kind == "full":
            return sim
        if kind == "reciprocal":
            key = (cell.head, cell.target)

            def solve_adjoint() -> Engine:
                self._say(f"adjoint solves of {name.rsplit('.', 1)[0]}")
                with self.costs.timing("adjoint", self._nodes(sim), *key):
                    return reciprocal(sim, target, axes=True)

            return self._keep("engine", key, solve_adjoint)  # type: ignore[no-any-return]
        self.costs.made.add(("solve", cell))
        return self._keep("engine", cell, lambda: self._basis(name, sim, target, coil, placements))  # type: ignore[no-any-return]

    def basis_folder(self, name: str) -> Path:
        """Where the basis of a cell is kept."""
        given = self.study.engine.basis
        if given is None:
            return self._bases / name
        folder = self.study.base / given
        return folder if (folder / "basis.json").exists() else folder / name

    def _basis(self, name: str, sim: Simulator, target: Target, coil: Coil, placements: Placements) -> ReducedBasis:
        """The cell's basis, built unless it is there; always as it is read back, so that its bits are the same."""
        folder = self.basis_folder(name)
        if not folder.exists() and self.study.engine.basis is None:
            self._build(folder, name, sim, target, coil, placements)
        return ReducedBasis.load(folder, sim, coil)

    def _build(
        self, folder: Path, name: str, sim: Simulator, target: Target, coil: Coil, placements: Placements
    ) -> None:
        engine, solves = self.study.engine, folder.with_name(f"{folder.name}.solves")
        folder.parent.mkdir(exist_ok=True)
        radius, tilt, distance = self._range(placements)

        def tell(done: int, planned: int, note: str) -> None:
            self._say(f"basis of {name}, {done} of at most {planned} solves")

        begun = perf_counter()
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
        # As if all the solves that are allowed had been needed: so is the estimate of the next.
        self.costs.add("solve", self._nodes(sim) * (engine.max_solves + BASIS_TESTS), perf_counter() - begun)
        basis.save(folder)
        remove(solves)

    def _range(self, placements: Placements) -> tuple[float, float, tuple[float, float]]:
        """Radius, tilt and distances that cover the placements: the scalp under a grid is not its plane."""
        engine, grid = self.study.engine, self.study.grid
        if grid is None:
            return engine.radius_mm or 25.0, engine.tilt_deg or 8.0, (*(engine.distance_mm or (2.0, 10.0)),)[:2]  # type: ignore[return-value]
        radius = grid.radius_mm + 3.0 if engine.radius_mm is None else engine.radius_mm
        steepest = max(float(np.hypot(*tilt)) for tilt in grid.tilts_deg)
        tilt = steepest + 3.0 if engine.tilt_deg is None else engine.tilt_deg
        if engine.distance_mm is not None:
            return radius, tilt, (engine.distance_mm[0], engine.distance_mm[1])
        centers = placements.coordinates["distance_mm"] + placements.coordinates["lifted_mm"]
        return radius, tilt, (max(0.5, float(np.min(centers)) - 1.0), float(np.max(centers)) + 1.0)

    def _made_of(self, cell: Cell, sim: Simulator, coil: Coil, engine: Engine) -> dict[str, str]:
        hashes: dict[str, str] = self._keep(
            "hashes",
            cell,
            lambda: {
                "head": head_digest(sim.head),
                "conductivity": digest(sim.problem.sigma),
                "coil": coil_digest(coil),
            },
        )
        if not isinstance(engine, ReducedBasis):
            return hashes
        note = self.basis_folder(self.study.cell_name(cell)) / "basis.json"
        return hashes | {"basis": digest_of(note) or "missing"}


def plain_task(study: Study, chunk: Chunk) -> dict[str, Any]:
    """A chunk as plain values, to be sent to another process; see `efield.campaign.worker`."""
    cell = chunk.cell
    return {
        "efield": __version__,
        "document": json.dumps(study.document),
        "base": str(study.base),
        "folder": str(Path(study.output).absolute()),
        "chunk": [cell.head, cell.target, cell.coil, chunk.number, chunk.first, chunk.count],
    }
