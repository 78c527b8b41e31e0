"""What the three engines say of placements at a target: full solves, a reduced basis, reciprocity.

`measure` is the step that sweeps and campaigns repeat; what it gives for a placement depends on that placement only.
"""

from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.basis.reduced_basis import ReducedBasis
from efield.coils.model import Coil
from efield.coils.polarity import induced_direction
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError
from efield.ground.memory import check_room
from efield.ground.pose import Pose
from efield.ground.progress import Progress, told
from efield.ground.version import __version__, version
from efield.head.mesh import HeadMesh
from efield.reciprocity.reciprocal import Reciprocal
from efield.sweeping.grid import Placements
from efield.targeting.fingerprint import coil_digest, fingerprints
from efield.targeting.held import check_all_held
from efield.targeting.measures import MEASURES, MIDSURFACE, RECIPROCAL, Measure, names_at, scaled
from efield.targeting.measuring import Measuring
from efield.targeting.simulate import Simulator, worth_storing
from efield.targeting.targets import Target

Table = dict[str, NDArray[np.floating]]
Engine = Simulator | ReducedBasis | Reciprocal

#: dI/dt that `measure` answers for: 1 A/us.
UNIT_DIDT: Final = 1e6

#: Placements that reciprocity answers between two words on how far it is: by the stored potential, and exactly.
_PART: Final = (1024, 16)


def engine_name(engine: Engine) -> str:
    """ "full", "reduced" or "reciprocal"."""
    if isinstance(engine, Simulator):
        return "full"
    return "reduced" if isinstance(engine, ReducedBasis) else "reciprocal"


def simulator_of(engine: Engine) -> Simulator:
    """The simulator that an engine is or was made with.

    Raises
    ------
    InputError
        If it is no engine.
    """
    if not isinstance(engine, Engine):
        raise InputError(
            f"engine must be a Simulator, ReducedBasis or Reciprocal; instead received {checks.kind(engine)}"
        )
    return engine if isinstance(engine, Simulator) else engine.sim


def head_of(engine: Engine) -> HeadMesh:
    """The head an engine answers for."""
    return simulator_of(engine).head


def columns(engine: Engine | str, target: Target) -> dict[str, Measure]:
    """What `measure` gives, known before anything is solved.

    Parameters
    ----------
    engine : Simulator, ReducedBasis, Reciprocal or {"full", "reduced", "reciprocal", "reciprocal-along"}
        "reciprocal" is one with three axes, "reciprocal-along" one with the target's direction only.
    target : Target
        One without a direction has no `along`, `across` and `angle`.
    """
    if isinstance(engine, ReducedBasis) and engine.outputs.at == "surface":
        return {MIDSURFACE + name: MEASURES[MIDSURFACE + name] for name in names_at(target)}
    if not isinstance(engine, str):
        alone = isinstance(engine, Reciprocal) and len(engine.directions) == 1
        engine = engine_name(engine) + ("-along" if alone else "")
    checks.choice("engine", engine, ("full", "reduced", "reciprocal", "reciprocal-along"))
    if engine == "reciprocal-along":
        return {"along": MEASURES["along"]}
    names = names_at(target)
    return {name: MEASURES[name] for name in names if engine != "reciprocal" or name in RECIPROCAL}


def measure(
    engine: Engine,
    coil: Coil,
    poses: Iterable[Pose] | FloatArray | Placements | str | PathLike[str],
    target: Target,
    *,
    region: Target | None = None,
    exact: bool | None = None,
    allow_collision: bool = False,
    progress: Progress = None,
) -> Table:
    """Measures of placements at a target for a dI/dt of 1 A/us.

    Parameters
    ----------
    engine : Simulator, ReducedBasis or Reciprocal
    coil : Coil
        That of the basis, if one is given.
    poses : iterable of Pose, (p, 4, 4) array, Placements, or a file of poses
    target : Target
        That of the adjoint problems, if they are given.
    region : Target, optional
        Where the field itself is wanted as well: it is the entry `e`, (p, k, 3) float32 in V/m, for the tetrahedra
        `region.tets(head)`. Reciprocity has no fields.
    exact : bool, optional
        True: sum over the coil's sources at every node, instead of a stored potential (errors of 1e-4 of the peak with
        a Simulator, see `Reciprocal.along` for reciprocity). By default whichever is quicker for so many placements
        (`sums_exactly`). Not with a basis.
    allow_collision : bool
        True computes poses at which nobody holds a coil, see `Simulator.solve` and `Reciprocal.along`. Placements of a
        grid are taken as they were laid, a basis refuses what is not on its patch.
    progress : bool or callable, optional
        True shows a bar; a callable is told (done, total, note) of placements.

    Returns
    -------
    dict of str to (p,) ndarray
        Those of `columns`.

    Raises
    ------
    InputError
        If there are no poses, the engine was made for another coil or target, or cannot give what is asked for.
    """
    placements = Placements.of(poses)
    if not len(placements):
        raise InputError("poses must hold at least one placement; instead it is empty")
    if not isinstance(engine, ReducedBasis):
        exact = sums_exactly(engine, coil, len(placements), exact)[0]
    unchecked = checks.flag("allow_collision", allow_collision) or placements.plane is not None
    if isinstance(engine, Reciprocal):
        _check_reciprocal(engine, target, region)
        if not unchecked:
            check_all_held(engine.head, coil, placements.matrices)
        return _in_parts(
            lambda part: dict(engine.measures(coil, part.matrices, exact=exact, allow_collision=True)),
            placements,
            exact,
            progress,
        )
    if isinstance(engine, ReducedBasis):
        if exact:
            raise InputError("exact must be False with a ReducedBasis, which has the error of its certificate")
        table = _expanded(engine, coil, placements.poses, target, region)
        with told(progress, "measuring", "placements", len(placements)) as tell:
            tell(len(placements), len(placements), "")
        return table
    return _solved(engine, coil, placements.poses, (target, region), exact, unchecked, progress)


def _in_parts(
    ask: Callable[[Placements], Table], placements: Placements, exact: bool | None, progress: Progress
) -> Table:
    """The table of placements, a part at a time, so that it can be said how far it is."""
    step, count = _PART[bool(exact)], len(placements)
    parts = []
    with told(progress, "measuring", "placements", count) as tell:
        for first in range(0, count, step):
            parts.append(ask(placements[first : first + step]))
            tell(min(first + step, count), count, "")
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def sums_exactly(engine: Engine, coil: Coil, placements: int, exact: bool | None = None) -> tuple[bool, str]:
    """Whether `measure` sums over the coil's sources for so many placements, and why, in words.

    Chunks of one sweep must be computed alike: who cuts a sweep asks this for the whole of it.
    """
    if isinstance(engine, Reciprocal):
        return engine.route(coil, placements, exact)
    if isinstance(engine, ReducedBasis):
        return False, "reduced basis"
    chosen = exact if exact is not None else not worth_storing(len(engine.problem.nodes_mm), placements)
    return chosen, "direct sums" if chosen else "stored potential of the coil"


def at_rate(
    table: Mapping[str, NDArray[np.floating]], didt: float | FloatArray, names: Iterable[str] | None = None
) -> Table:
    """What `measure` gave, at another dI/dt (A/s): E is linear in it, and magnitudes do not know its sign.

    One dI/dt for all placements, or one for each (p,). All of the table unless `names` are given.
    """
    rate = checks.as_float_array("didt", didt) if np.ndim(didt) else checks.number("didt", didt)
    return scaled(table, rate / UNIT_DIDT, names)


def _solved(
    sim: Simulator,
    coil: Coil,
    poses: list[Pose],
    wanted: tuple[Target, Target | None],
    exact: bool | None,
    unchecked: bool,
    progress: Progress,
) -> Table:
    target, region = wanted
    kept = np.empty(0, np.intp) if region is None else region.tets(sim.head)
    measuring = Measuring(sim.problem, target, kept)
    fields, rows = _room(len(poses), len(kept)), np.empty((len(poses), len(measuring.measures.names)))
    done = 0
    with told(progress, "solving", "placements", len(poses)) as tell:
        for found, e in sim.measured_many(coil, poses, UNIT_DIDT, measuring, exact=exact, checked=not unchecked):
            part = slice(done, done := done + len(found))
            rows[part], fields[part] = found, e
            tell(done, len(poses), "")
    table: Table = dict(zip(measuring.measures.names, rows.T, strict=True))
    return table if region is None else table | {"e": fields}


def _expanded(basis: ReducedBasis, coil: Coil, poses: list[Pose], target: Target, region: Target | None) -> Table:
    basis.serves(coil)
    check_inside(basis, poses)
    table: Table = dict(basis.measures(poses, UNIT_DIDT, target, coil=coil))
    if region is None:
        return table
    kept = region.tets(basis.sim.head)
    rows = np.searchsorted(basis.tets, kept)
    if not np.isin(kept, basis.tets).all():
        raise InputError(f"the tissue of {region.name} must lie in the basis: build it with a larger region_radius_mm")
    fields = _room(len(poses), len(kept))
    for number, pose in enumerate(poses):
        fields[number] = basis.field(pose, UNIT_DIDT, coil=coil).e[rows]
    return table | {"e": fields}


def check_inside(basis: ReducedBasis, poses: Iterable[Pose]) -> None:
    """Refuse placements that a basis is not certified for.

    Raises
    ------
    InputError
        With how many they are, and by how much the first is outside.
    """
    found = [(number, by) for number, pose in enumerate(poses) if (by := basis.patch.outside(pose))]
    if found:
        number, by = found[0]
        raise InputError(
            f"all placements must lie on the patch the basis is certified for; instead {len(found)} lie outside, the "
            f"first is number {number}: {by}; sweep a smaller grid, build a wider basis, or use a Simulator"
        )


def _check_reciprocal(engine: Reciprocal, target: Target, region: Target | None) -> None:
    if region is not None:
        raise InputError("fields must be asked of a Simulator or a ReducedBasis; reciprocity gives means only")
    same = target is engine.target or (
        np.array_equal(_or_zero(target.direction), _or_zero(engine.target.direction))
        and _same_region(engine.head, target, engine.target)
    )
    if not same:
        raise InputError(
            f"target must be the one of the adjoint problems, {engine.target.name}; instead received {target.name}: "
            "make another with reciprocal(sim, target)"
        )


def _same_region(head: HeadMesh, one: Target, other: Target) -> bool:
    if one.region is None and other.region is None:
        ball = (one.radius_mm, one.tags) == (other.radius_mm, other.tags)
        return ball and np.array_equal(one.center_mm, other.center_mm)
    return np.array_equal(one.tets(head), other.tets(head))


def _or_zero(direction: FloatArray | None) -> FloatArray:
    return np.zeros(3) if direction is None else direction


def _room(placements: int, tets: int) -> NDArray[np.float32]:
    """(p, k, 3) float32 for the fields."""
    what, remedy = (
        f"fields of {placements} placements on {tets} tetrahedra",
        "ask for a smaller region, or sweep in parts",
    )
    check_room(12.0 * placements * tets, what, remedy)
    return np.empty((placements, tets, 3), np.float32)


def provenance(
    engine: Engine, coil: Coil, target: Target, *, placements: int, exact: bool | None = None
) -> dict[str, Any]:
    """Where the numbers of a sweep come from: versions, hashes, options and the engine's stated error.

    Returns
    -------
    dict of str to str, float or list
        Fit for the attributes of a Dataset in any file.
    """
    note: dict[str, Any] = {
        "efield": __version__,
        **{name: version(name) for name in ("numpy", "numba", "scipy")},
        "engine": engine_name(engine),
        "coil_name": coil.name,
        "coil_induced_direction": list(induced_direction(coil) or ()),
        "coil_casing": coil.shape_from,
        "target": target.name,
        "target_center_mm": target.center_mm.tolist(),
        "target_radius_mm": target.radius_mm,
        "target_tissues": list(target.tags),
        "target_direction": [] if target.direction is None else target.direction.tolist(),
        "target_region": "" if target.region is None else target.region.words,
        "target_source": target.source,
        "target_space": target.space,
        "target_spread_mm": [] if target.spread_mm is None else target.spread_mm.tolist(),
    }
    note["route"] = sums_exactly(engine, coil, placements, exact)[1]
    if isinstance(engine, Reciprocal):
        return note | dict(engine.made_with) | {"coil": coil_digest(coil)}
    sim = simulator_of(engine)
    note |= fingerprints(sim, coil) | {"solver_tol": sim.problem.tol, "order": sim.problem.order}
    if isinstance(engine, ReducedBasis):
        note["largest_certified_error"] = engine.certificate.field.max
    return note
