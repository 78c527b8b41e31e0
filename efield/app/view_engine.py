"""The engine of `efield view`: a basis that is read, or built and kept, or the solver itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from efield.app.console import Bar, Steps, aside, remark
from efield.app.request_parts import parse_conductivity, prepared
from efield.app.view_request import ViewRequest
from efield.app.view_sources import Looked, image_file
from efield.basis.reduced_basis import ReducedBasis
from efield.basis.storage import describe
from efield.coils.model import Coil
from efield.explorer.engine import ExplorerEngine
from efield.explorer.explore import live_engine
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.ground.progress import Tell
from efield.io.cache_folder import cache_for
from efield.io.load import load_coil, load_head
from efield.io.poses.reading import load_pose
from efield.io.volumes.image import HeadImage
from efield.nav.alerts import Alert
from efield.targeting.fingerprint import digest, made_with
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target, named_target

#: Most solves of a basis that is built to be looked at.
_MOST_SOLVES: Final = 512


@dataclass(frozen=True, eq=False)
class Live:
    """What an explorer is made of.

    Parameters
    ----------
    engine : ExplorerEngine
    start : Pose
    didt : float or None
        At first, A/s.
    """

    engine: ExplorerEngine
    start: Pose
    didt: float | None


def live_parts(request: ViewRequest, looked: Looked, alerts: tuple[Alert, ...], tell: Tell = lambda *_: None) -> Live:
    """Load the head, prepare the solver, and read or build the basis; `tell` hears how far a basis is that is built.

    Raises
    ------
    InputError
        If something cannot be read, or does not belong together.
    """
    steps, coil, file = Steps(3 if looked.basis else 2), _coil(looked), image_file(request, looked.head)
    image = None if file is None else HeadImage.read(file)
    with steps(f"loading head {looked.head}"):
        head = load_head(looked.head) if looked.load is None else looked.load()
        target = None if request.target is None else named_target(head, request.target)
        target = target or (looked.target(head) if looked.target else None)
    sigma = parse_conductivity(request.conductivity, request.conductivity_table, looked.conductivity)
    sim = prepared(head, looked.head, request.device, steps, sigma, looked.order)
    engine: ReducedBasis | Simulator = sim
    if looked.basis is not None:
        with steps(f"reading the basis {looked.basis}"):
            engine = _read(looked.basis, sim, coil)
    elif looked.build and not request.solver:
        engine = _built(request, looked, sim, coil, target or named_target(head, "m1-hand-left"), tell)
    plan = None if request.plan is None else load_pose(request.plan)
    made = live_engine(engine, coil, target, plan=plan, outside=request.outside, alerts=alerts, image=image)
    return Live(made, looked.start or plan or made.inside(), looked.didt if request.didt is None else request.didt)


def _coil(looked: Looked) -> Coil:
    try:
        return load_coil(looked.coil)
    except InputError as error:
        raise InputError(f"--coil must be the file of the coil {looked.coil}, which is no name: {error}") from error


def _read(folder: Path, sim: Simulator, coil: Coil) -> ReducedBasis:
    return ReducedBasis.load(folder, sim, None if describe(folder)["coil"] == "any" else coil)


def _built(
    request: ViewRequest, looked: Looked, sim: Simulator, coil: Coil, target: Target, tell: Tell
) -> ReducedBasis:
    """A basis over a target: the one that was kept, or a new one, which takes minutes."""
    checks.in_range("--radius", request.radius, 1.0, 80.0)
    folder = request.keep or _kept(request, looked, sim, coil, target)
    if folder is not None and (folder / "basis.json").is_file():
        with Steps(1)(f"reading the basis {folder}"):
            return _read(folder, sim, coil)
    aside("building a basis, once; --solver looks at once and solves each place where the coil rests")
    tell(0, _MOST_SOLVES, "")
    with Bar("building", _MOST_SOLVES, "solves") as bar:

        def both(done: int, total: int, note: str) -> None:
            bar(done, total, note)
            tell(done, total, note)

        options: dict[str, Any] = {"radius_mm": request.radius, "tol": request.tol, "max_solves": _MOST_SOLVES}
        solves = None if folder is None else folder.with_name(f"{folder.name}.solves")
        basis = ReducedBasis.build(sim, coil, target, **options, checkpoint=solves, progress=both)
    if folder is not None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        basis.save(folder)
    if not basis.certificate.met:
        remark(f"{basis.certificate.words}, more than --tol {request.tol:g}")
    return basis


def _kept(request: ViewRequest, looked: Looked, sim: Simulator, coil: Coil, target: Target) -> Path | None:
    """Where the basis of a shipped head is kept between runs: of others the folder would fill."""
    folder = cache_for(looked.head)
    if folder is None:
        return None
    what = repr((sorted(made_with(sim, coil).items()), request.radius, request.tol))
    name = digest(target.center_mm, list(what.encode()))
    return folder / f"basis-{name}"
