"""What the heads of a study are, looked at once before any solve: hashes, sizes, and where each target lies."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.campaign.problems import Problem, StudyError
from efield.campaign.study import HeadEntry, Study, TargetEntry, head_loader
from efield.coils.model import Coil
from efield.ground.errors import CollisionError, InputError
from efield.ground.pose import Pose
from efield.ground.progress import Progress, told
from efield.head.mesh import HeadMesh
from efield.head.soundness import check_sound
from efield.targeting.fingerprint import digest, head_digest, whole_coil_digest
from efield.targeting.held import check_held
from efield.targeting.placement import check_covers, place_coil
from efield.targeting.targets import Target

#: Facts of a target that come as lists from a file.
_TRIPLES: Final = ("center_mm", "direction", "spread_mm")


@dataclass(frozen=True)
class TargetFacts:
    """Where a target lies on one head; `tets` counts the tetrahedra of its region.

    `region` is the hash of these where the region is no ball; `source`, `space` and `spread_mm` are those of `Target`.
    """

    center_mm: tuple[float, ...]
    radius_mm: float
    direction: tuple[float, ...] | None
    note: str
    tets: int
    region: str = ""
    source: str = ""
    space: str = ""
    spread_mm: tuple[float, ...] | None = None

    @classmethod
    def of(cls, target: Target, head: HeadMesh) -> "TargetFacts":
        """Facts of a target that lies in the head."""
        direction, spread = map(_plain, (target.direction, target.spread_mm))
        tets = target.tets(head)
        region = "" if target.region is None else digest(tets)
        where = (tuple(target.center_mm.tolist()), target.radius_mm, direction, target.note, len(tets))
        return cls(*where, region, target.source, target.space, spread)

    @property
    def digest(self) -> str:
        """Hash of all that the numbers depend on."""
        direction = () if self.direction is None else self.direction
        ball = np.array([*self.center_mm, self.radius_mm, *direction])
        return digest(ball, np.frombuffer(self.region.encode(), np.uint8)) if self.region else digest(ball)


def _plain(triple: NDArray[np.float64] | None) -> tuple[float, ...] | None:
    return None if triple is None else tuple(triple.tolist())


@dataclass(frozen=True)
class HeadFacts:
    """A head's hashes and sizes, and its targets in the study's order."""

    digest: str
    conductivity: str
    nodes: int
    tets: int
    targets: tuple[TargetFacts, ...]


@dataclass(frozen=True)
class Survey:
    """Facts of all heads and the hashes of all coils, in the study's order."""

    heads: tuple[HeadFacts, ...]
    coils: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dump`."""
        return asdict(self)

    @classmethod
    def from_json(cls, note: dict[str, Any]) -> "Survey":
        """What `to_json` made."""
        heads = []
        for head in note["heads"]:
            targets = [
                TargetFacts(**(t | {k: None if t.get(k) is None else tuple(t[k]) for k in _TRIPLES}))
                for t in head["targets"]
            ]
            heads.append(HeadFacts(**(head | {"targets": tuple(targets)})))
        return cls(tuple(heads), tuple(note["coils"]))


def survey(study: Study, progress: Progress = None) -> Survey:
    """Load every head of a study once and look for every target on it.

    Parameters
    ----------
    study : Study
    progress : bool or callable, optional
        True shows a bar; a callable is told (done, total, note) of heads before each is loaded.

    Raises
    ------
    StudyError
        With everything that was found wrong, on all heads.
    """
    problems: list[Problem] = []
    coils = [coil.load(study.base) for coil in study.coils]
    heads, load = [], head_loader(study.base)
    with told(progress, "survey", "heads", len(study.heads)) as tell:
        for done, entry in enumerate(study.heads):
            tell(done, len(study.heads), f"looking at head {entry.label}")
            facts = _head_facts(study, entry, load, coils, problems)
            if facts is not None:
                heads.append(facts)
    if problems:
        raise StudyError("the study", problems)
    return Survey(tuple(heads), tuple(whole_coil_digest(coil) for coil in coils))


def _head_facts(
    study: Study,
    entry: HeadEntry,
    load: Callable[[HeadEntry], HeadMesh],
    coils: list[Coil],
    problems: list[Problem],
) -> HeadFacts | None:
    try:
        head = load(entry)
        check_sound(head)
        sigma = entry.conductivities().per_tet(head)
    except InputError as error:
        problems.append(Problem(f"heads.{entry.label}", f"heads.{entry.label}: {error}"))
        return None
    targets = []
    for wanted in study.targets:
        try:
            targets.append(_target_facts(study, wanted, head, coils))
        except InputError as error:
            place = f"targets.{wanted.label}"
            problems.append(Problem(place, f"{place} on head {entry.label}: {error}"))
    if study.poses is not None:
        problems += _not_held(study, head, coils, study.poses)
    return HeadFacts(head_digest(head), digest(sigma), len(head.points), len(head.tets), tuple(targets))


def _target_facts(study: Study, wanted: TargetEntry, head: HeadMesh, coils: list[Coil]) -> TargetFacts:
    target = wanted.on(head, study.base)
    facts = TargetFacts.of(target, head)
    if study.grid is not None:
        for coil in coils:
            # Is it near the scalp, and does a sampled field reach all of the head from there?
            check_covers(head, coil, place_coil(head, target, 0.0, max(study.grid.distances_mm), coil=coil))
    return facts


def _not_held(study: Study, head: HeadMesh, coils: list[Coil], poses: NDArray[np.float64]) -> list[Problem]:
    """Poses of a list at which nobody holds a coil; a grid lays its coils itself."""
    found = []
    for entry, coil in zip(study.coils, coils, strict=True):
        wrong = [(number, why) for number, matrix in enumerate(poses) if (why := _why_not(head, coil, matrix))]
        if wrong:
            number, why = wrong[0]
            text = (
                f"grid.poses must hold the coil {entry.label} at the head; instead {len(wrong)} of {len(poses)} poses "
                f"do not, the first is number {number}: {why}"
            )
            found.append(Problem("grid.poses", text))
    return found


def _why_not(head: HeadMesh, coil: Coil, matrix: NDArray[np.float64]) -> str:
    try:
        check_held(head, coil, Pose(matrix))
    except CollisionError as error:
        return str(error).rpartition("; ")[0]  # how to insist is for Python
    return ""
