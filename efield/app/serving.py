"""`efield serve`: from options to a live session."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final

from efield.app.console import ERR, Steps, aside
from efield.app.request_parts import parse_conductivity, prepared
from efield.app.serve_request import ServeRequest
from efield.basis.reduced_basis import ReducedBasis
from efield.basis.storage import describe
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.io.load import load_coil, load_head
from efield.io.poses.reading import load_pose
from efield.nav.alerts import Alert
from efield.nav.engine import OUTSIDE, Answer, LiveEngine
from efield.nav.listening import check_free
from efield.nav.openigtlink_server import DEVICES, Limits
from efield.nav.serve import Session, serve
from efield.nav.sources import source_of
from efield.targeting.targets import named_target, parse_target

#: Options that a session takes as they are.
_SAME: Final = ("host", "socketio", "name", "axes", "frame", "image", "follow", "speed")

#: How often the line on a terminal is drawn anew (s).
_REDRAW_S: Final = 0.2


def run(request: ServeRequest, as_json: bool = False) -> dict[str, Any]:
    """Serve until it is told to end; what the session's report says.

    Parameters
    ----------
    request : ServeRequest
    as_json : bool
        Lines of JSON on standard output.

    Raises
    ------
    InputError
        That names the option.
    """
    session, alerts, plan = _session(request), _alerts(request), load_pose(request.plan) if request.plan else None
    with ExitStack() as stack:
        lines = _lines(request, as_json, stack)
        engine = _engine(request, plan, alerts)
        if engine.basis is None:
            aside("each pose is solved in full, which takes seconds; `efield basis build` makes a basis for --basis")
        aside(f"{engine.words}; {engine.target.name}; {engine.coil.name} at {engine.didt / 1e6:g} A/us")
        shown = None if as_json or not ERR.is_terminal else stack.enter_context(_Shown())
        return serve(engine, session, lines=lines, note=aside, told=shown)


def _session(request: ServeRequest) -> Session:
    """The session, with what is followed read once, so that a wrong name is told before any work."""
    if request.follow is not None:
        source_of(request.follow, axes=request.axes, frame=request.frame, speed=request.speed)
    devices = tuple(request.device or DEVICES)
    same: dict[str, Any] = {name: getattr(request, name) for name in _SAME}
    session = Session(
        openigtlink=None if request.no_openigtlink else request.openigtlink,
        devices=() if "any" in devices else devices,
        spacing_mm=checks.in_range("--spacing", request.spacing, 0.2, 20.0),
        limits=Limits(clients=request.max_clients),
        **same,
    )
    check_free(session.host, session.openigtlink, "OpenIGTLink")
    check_free(session.host, session.socketio, "Socket.IO")
    return session


def _alerts(request: ServeRequest) -> tuple[Alert, ...]:
    if not checks.rate("--didt", request.didt):
        raise InputError("--didt must not be 0: nothing would be measured; instead received 0")
    checks.choice("--outside", request.outside, OUTSIDE)
    if request.target is not None:
        parse_target(request.target)
    return tuple(map(Alert.parse, request.alert or ()))


def _engine(request: ServeRequest, plan: Pose | None, alerts: tuple[Alert, ...]) -> LiveEngine:
    coil = load_coil(request.coil)
    sigma = parse_conductivity(request.conductivity, request.conductivity_table)
    serves_any = request.basis is not None and describe(request.basis)["coil"] == "any"
    steps = Steps(2 if request.basis is None else 3)
    with steps(f"loading head {request.head}"):
        head = load_head(request.head)
        target = None if request.target is None else named_target(head, request.target)
    sim = prepared(head, request.head, request.compute_on, steps, sigma)
    if request.basis is None:
        chosen = target or named_target(head, "m1-hand-left")
        return LiveEngine(sim, coil, chosen, request.didt, plan=plan, alerts=alerts)
    with steps(f"reading the basis {request.basis}"):
        basis = ReducedBasis.load(request.basis, sim, None if serves_any else coil)
    chosen = target or basis.target
    return LiveEngine(basis, coil, chosen, request.didt, outside=request.outside, plan=plan, alerts=alerts)


def _lines(request: ServeRequest, as_json: bool, stack: ExitStack) -> IO[str] | None:
    if request.lines is None:
        return sys.stdout if as_json else None
    if as_json:
        raise InputError("--json and --lines must not be given together: the lines go to one place")
    try:
        return stack.enter_context(Path(request.lines).open("a", encoding="utf-8"))
    except OSError as error:
        raise InputError(f"--lines must be a file that can be written; {request.lines}: {error.strerror}") from error


class _Shown:
    """One line on a terminal that follows the coil."""

    def __init__(self) -> None:
        self._status = ERR.status("waiting for poses")
        self._drawn = 0.0

    def __enter__(self) -> "_Shown":
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def __call__(self, answer: Answer) -> None:
        now = time.perf_counter()
        if now - self._drawn < _REDRAW_S:
            return
        self._drawn = now
        self._status.update(_in_a_line(answer).replace("[", r"\["))


def _in_a_line(answer: Answer) -> str:
    place = f"pose {answer.id} of {answer.pose.source}"
    if answer.status != "ok":
        return f"{place}: {answer.status}, {answer.reason}"
    name, value = next(iter(answer.measures.items()))
    off = "".join(f", {key} {size:.1f}" for key, size in answer.off_plan.items())
    marked = f"  ALERT {'; '.join(answer.alerts)}" if answer.alerts else ""
    return f"{place}: {name} {value:.3g} V/m{off}, {answer.age_ms:.1f} ms{marked}"
