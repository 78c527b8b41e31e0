"""`explore`: opens the explorer from Python, in a notebook or a script."""

import webbrowser
from collections.abc import Iterable
from os import PathLike

from efield.basis.reduced_basis import ReducedBasis
from efield.coils import stimulators
from efield.coils.model import Coil
from efield.explorer.engine import ExplorerEngine
from efield.explorer.explorer import Explorer
from efield.explorer.server import library
from efield.explorer.session import Output
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.pose import Pose, given_pose
from efield.ground.progress import in_notebook
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.reading import opened_one, opened_table
from efield.io.volumes.image import HeadImage, image_of
from efield.nav.alerts import Alert
from efield.nav.sources import source_of
from efield.targeting import given
from efield.targeting.named import CoilLike, the_coil
from efield.targeting.naming import Place, target_of
from efield.targeting.simulate import Simulator
from efield.viz.planes import image_over


def explore(
    engine: ReducedBasis | Simulator,
    coil: CoilLike | None = None,
    target: Place | None = None,
    *,
    didt: float | None = None,
    intensity: float | None = None,
    stimulator: str | None = None,
    pose: Pose | str | PathLike[str] | None = None,
    plan: Pose | str | PathLike[str] | None = None,
    poses: PoseTable | Iterable[Pose] | str | PathLike[str] | None = None,
    follow: str | None = None,
    threshold: float | None = None,
    outside: str = "refuse",
    t1: HeadImage | str | PathLike[str] | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    browser: bool | None = None,
) -> Explorer:
    """Move a coil over a head in a page, and see the field follow.

    Parameters
    ----------
    engine : ReducedBasis or Simulator
        A basis answers in milliseconds. With a simulator each place where the coil rests is solved in full, which takes
        seconds.
    coil : Coil, or its name or file, optional
        That of the basis; needed with a simulator or a basis for any coil.
    target : Target, str or (3,) array_like, optional
        That of the basis, or the left hand area.
    didt : float, A/s, optional
        At first; 1e6 unless given, or what `intensity` says.
    intensity : float, optional
        Percent of the stimulator's output.
    stimulator : str, optional
        If not the coil's usual one.
    pose : Pose or file, optional
        Where the coil is at first: the plan, or over the target.
    plan : Pose or file, optional
        The planned pose: measures are compared with it.
    poses : PoseTable, iterable of Pose, or file, optional
        To choose from, and to play.
    follow : str, optional
        What moves the coil, in the words of ``efield serve --follow``.
    threshold : float, V/m, optional
        What the first measure, the mean of abs. E in the target, is at the motor threshold, measured in the same way.
    outside : {"refuse", "solve"}
        With a basis: what becomes of a pose that it is not certified for.
    t1 : HeadImage or file, optional
        An image in the head's coordinates, shown in the slices in the place of tissues.
    host, port : str, int
        Where the page is served; for this machine only, and on a free port, unless told otherwise.
    browser : bool, optional
        Open a browser; by default in a program, not in a notebook, where the page is shown below the cell.

    Returns
    -------
    Explorer
        With `pose`, `measures`, `target`, `url` and `close()`.

    Raises
    ------
    InputError
        If an argument cannot be used.
    MissingDependencyError
        Without the extra ``live``.

    Examples
    --------
    >>> head = ef.head.sphere_head(edge_mm=12.0)
    >>> explorer = ef.explore(ef.Simulator(head), "d70", "m1-hand-left", browser=False)
    >>> sorted(explorer.measures)[:3]
    ['across', 'along', 'angle']
    >>> explorer.close()
    """
    library()
    source = None if follow is None else source_of(follow)
    image = None if t1 is None else image_of(t1)
    made = live_engine(engine, coil, target, plan=plan, outside=outside, image=image)
    output = output_of(made.coil, stimulator, threshold)
    made.didt = rate_of(made.coil, output, didt, intensity)
    start = made.plan if pose is None else given_pose(opened_one(pose))
    table = None if poses is None else opened_table(poses)
    explorer = Explorer(made, start or made.inside(), output, poses=table, source=source, host=host, port=port)
    if browser if browser is not None else not in_notebook():
        webbrowser.open(explorer.url)
    return explorer


def live_engine(
    engine: ReducedBasis | Simulator,
    coil: CoilLike | None,
    target: Place | None,
    *,
    plan: Pose | str | PathLike[str] | None = None,
    outside: str = "refuse",
    alerts: tuple[Alert, ...] = (),
    image: HeadImage | None = None,
) -> ExplorerEngine:
    """The engine of an explorer; its target is that of the basis, or the left hand area, unless given.

    Raises
    ------
    InputError
        If an argument cannot be used.
    """
    if isinstance(engine, ReducedBasis):
        maker, usual, sim = engine.serves(coil), engine.target, engine.sim
    elif coil is None:
        raise InputError("coil must be given with a simulator, such as 'magstim-70mm-figure8'; instead received none")
    else:
        maker, usual, sim = the_coil(coil), None, given.simulator(engine)
    aim = target_of(sim.head, target if target is not None else usual or "m1-hand-left")
    planned = None if plan is None else given_pose(opened_one(plan))
    shown = None if image is None else image_over(sim.head, image)
    return ExplorerEngine(engine, maker, aim, outside=outside, plan=planned, alerts=alerts, image=shown)


def output_of(coil: Coil, stimulator: str | None, threshold: float | None) -> Output:
    """What stands behind a coil: the usual stimulator unless one is named.

    Raises
    ------
    InputError
        If the stimulator is not known with this coil, or the threshold is not positive.
    """
    full = coil.max_didt if stimulator is None else stimulators.didt(stimulator, coil, 100.0)
    return Output(full, stimulator or "", None if threshold is None else checks.positive("threshold", threshold))


def rate_of(coil: Coil, output: Output, didt: float | None, intensity: float | None) -> float:
    """dI/dt in A/s, given itself or as percent of the output; 1 A/us if neither is.

    Raises
    ------
    InputError
        If both are given, the output is not known, or dI/dt is 0.
    """
    if intensity is None:
        rate = checks.rate("didt", 1e6 if didt is None else didt)
    elif didt is not None:
        raise InputError("didt and intensity must not be given together; each sets the drive")
    elif output.full_didt is None:
        raise InputError(f"the largest dI/dt of {coil.name} is not known: give stimulator as well, or didt")
    else:
        rate = output.full_didt * checks.percent_of_output("intensity", intensity) / 100.0
    if rate == 0:
        raise InputError("didt and intensity must not be 0: a coil that is not driven has no field to follow")
    return rate
