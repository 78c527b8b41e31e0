"""`efield sweep`: run a study, look at its results, check and repair its store."""

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from typer.core import TyperGroup

from efield.app.console import ERR, OUT, Bar
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.progress import Tell

if TYPE_CHECKING:
    from efield.campaign.estimate import Estimate
    from efield.campaign.run import Runner
    from efield.campaign.store import Store
    from efield.campaign.study import Study

#: What a shell reports for a program stopped by Ctrl-C.
_INTERRUPTED = 130


class _StudyOrCommand(TyperGroup):
    """`efield sweep study.toml` is `efield sweep run study.toml`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` in front of what is not a command."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_StudyOrCommand,
    help="Run a study: heads x coils x targets x placements, resumable, on one machine or many. "
    "`efield sweep STUDY` runs it; `efield sweep new` writes a commented one.",
    no_args_is_help=True,
    subcommand_metavar="STUDY | COMMAND [ARGS]...",
)

StoreArgument = Annotated[Path, typer.Argument(metavar="STORE", help="Folder of results that `efield sweep` wrote.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print as JSON on standard output.")]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        help="Compute in this many processes of one thread on this machine (extra `cluster`). Without it this process "
        "computes, with all cores and one head in memory."
    ),
]
SchedulerOption = Annotated[
    str | None, typer.Option(help="Compute on the Dask cluster at this address; it must be trusted (extra `cluster`).")
]


@app.command("run")
def run_study(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="A study (TOML).")],
    out: Annotated[Path | None, typer.Option(help="Folder of the results, instead of the study's.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the study and say what it takes.")] = False,
    probe: Annotated[bool, typer.Option("--probe", help="With --dry-run: time a few placements here.")] = False,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a study, or go on with it: finished chunks are not computed again. (`run` may be left out.)

    Everything that is wrong with the study is listed before any work. Stop it at any time, however rudely, and give the
    same command again.

    Examples:

      efield sweep study.toml --dry-run

      efield sweep study.toml --workers 4
    """
    from efield.campaign.plan import read_study
    from efield.campaign.run import run

    if probe and not dry_run:
        raise InputError("--probe must go with --dry-run")
    if not study.suffix and not study.exists():
        checks.choice("STUDY or COMMAND", str(study), ("a study.toml that exists", "run", "show", "check", "new"))
    runner = _runner(workers, scheduler)
    with _listed():
        plan = read_study(study, out)
        _say_coils(plan)
        if dry_run:
            _dry_run(plan, probe, as_json)
            return
        with _shown(plan) as progress, _stoppable(plan, _again(study, out, workers, scheduler)):
            outcome = run(plan, runner, progress)
    found = {"store": plan.output, **vars(outcome)}
    if as_json:
        _print_json(found)
        return
    OUT.print(
        f"{outcome.chunks} chunks finished, {outcome.computed} of them now: {plan.output}\n"
        f"see `efield sweep show {plan.output}`, table.csv, table.parquet, and sweep.zarr for xarray.open_zarr",
        markup=False,
        soft_wrap=True,
    )


@app.command()
def show(
    store: StoreArgument,
    top: Annotated[int, typer.Option(min=1, help="How many placements.")] = 10,
    measure: Annotated[str | None, typer.Option(help="What placements are ranked by.")] = None,
    head: Annotated[str | None, typer.Option(help="Of this head of the study only.")] = None,
    target: Annotated[str | None, typer.Option(help="Of this target of the study only.")] = None,
    coil: Annotated[str | None, typer.Option(help="Of this coil of the study only.")] = None,
    picture: Annotated[Path | None, typer.Option("--map", help="Draw the map of the best cell to this file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The best placements and a map; also while the study runs.

    Over all heads, targets and coils unless some are named. The map is of the cell that holds the best placement.

    Examples:

      efield sweep show hand-study --top 5 --measure along --map map.png

      efield sweep show hand-study --target hand --coil d70
    """
    from efield.campaign.best import best, default_measure
    from efield.campaign.store import reading

    found = reading(store)
    name = measure or default_measure(found)
    rows = best(found, name, top, among={"head": head, "target": target, "coil": coil})
    pending = len(found.pending())
    if as_json:
        _print_json({"measure": name, "pending_chunks": pending, "best": rows})
    else:
        OUT.print(_best_table(rows, name))
        _print_map(found, rows[0], name)
        if pending:
            total = len(found.study.cells) * found.study.chunks_per_cell
            ERR.print(f"note: {pending} of {total} chunks are not finished", markup=False)
    if picture is not None:
        _draw(picture, found, rows[0], name)


@app.command()
def check(
    store: StoreArgument,
    repair: Annotated[bool, typer.Option("--repair", help="Compute again what is damaged or missing.")] = False,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare every file with its hash. Exit code 1 if something is damaged and was not repaired.

    Example:

      efield sweep check hand-study --repair
    """
    from efield.campaign import integrity
    from efield.campaign.store import reading

    condition = integrity.check(store)
    repaired = False
    runner = _runner(workers, scheduler)
    if repair and (not condition.good or condition.pending):
        with _listed():
            plan = reading(store).study
            with _shown(plan) as progress, _stoppable(plan, f"efield sweep check {store} --repair"):
                integrity.repair(store, runner, progress)
        repaired = True
    if as_json:
        _print_json({**vars(condition), "good": condition.good, "repaired": repaired})
    else:
        _print_condition(condition)
        if repaired:
            OUT.print("repaired: all chunks are as they should be")
    if not condition.good and not repaired:
        raise typer.Exit(1)


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="The study to write; it must not exist yet.")] = Path("study.toml"),
) -> None:
    """Write a commented study to start from; it runs in about a minute."""
    template = Path(__file__).parents[1] / "campaign" / "template.toml"
    try:
        with file.open("x", encoding="utf-8") as made:
            made.write(template.read_text(encoding="utf-8"))
    except FileExistsError as error:
        raise InputError(f"{file} must not exist yet; delete it, or give another name") from error
    except OSError as error:
        raise InputError(f"{file} must be a file that can be written; instead: {error.strerror}") from error
    OUT.print(f"written: {file}", markup=False, soft_wrap=True)


def _say_coils(study: "Study") -> None:
    """Which way each coil induces, and what its casing is."""
    from efield.app.coil_facts import casing_words
    from efield.coils.polarity import induced_words

    for entry in study.coils:
        coil = entry.load(study.base)
        direction = induced_words(coil) or "no one direction: angles are those of its y axis"
        ERR.print(
            f"coil {entry.label}: a rising current induces along {direction}; casing {casing_words(coil)}", markup=False
        )


def _again(study: Path, out: Path | None, workers: int | None, scheduler: str | None) -> str:
    """The command that goes on with a run."""
    options = {"--out": out, "--workers": workers, "--scheduler": scheduler}
    given = [text for name, value in options.items() if value is not None for text in (name, str(value))]
    return shlex.join(["efield", "sweep", str(study), *given])


def _runner(workers: int | None, scheduler: str | None) -> "Runner | None":
    if workers is None and scheduler is None:
        return None
    if workers is not None and scheduler is not None:
        raise InputError("--workers and --scheduler must not be given together; each says where to compute")
    from efield.campaign.cluster import on_cluster

    return on_cluster(workers=workers, scheduler=scheduler)


@contextmanager
def _listed() -> Iterator[None]:
    """Problems of a study on a line each."""
    from efield.campaign.problems import StudyError

    try:
        yield
    except StudyError as error:
        count = len(error.problems)
        head = f"error: {error.name} has {'a problem' if count == 1 else f'{count} problems'}"
        ERR.print(head, style="red", markup=False, soft_wrap=True)
        for problem in error.problems:
            ERR.print(f"  {' '.join(str(problem).split())}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None


@contextmanager
def _shown(study: "Study") -> Iterator[Tell]:
    """Shows a run on the console: placements as a bar, notes as lines of their own beside it."""
    said = ""

    def tell(done: int, total: int, note: str) -> None:
        nonlocal said
        if not note:
            bar(done, total)
        elif note != said:
            ERR.print(note, markup=False, soft_wrap=True)
            said = note

    with Bar("sweep", study.count * len(study.cells), "placements") as bar:
        yield tell


@contextmanager
def _stoppable(study: "Study", command: str) -> Iterator[None]:
    """Ctrl-C says what is there and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        markers = Path(study.output) / "chunks"
        done = sum(1 for _ in markers.glob("[0-9]*.json")) if markers.is_dir() else 0
        total = len(study.cells) * study.chunks_per_cell
        ERR.print(f"stopped: {done} of {total} chunks are finished; to go on: {command}", markup=False, soft_wrap=True)
        raise typer.Exit(_INTERRUPTED) from None


def _dry_run(study: "Study", probe: bool, as_json: bool) -> None:
    from efield.campaign import estimate
    from efield.campaign.survey import survey

    facts = survey(study, lambda done, total, note: ERR.print(note, markup=False))
    say = estimate.probe if probe else estimate.estimate
    found = say(study, facts)
    if as_json:
        _print_json(found.to_json() | {"store": study.output})
        return
    OUT.print(_estimate_table(study, found))
    OUT.print(f"time: {found.source}", markup=False, soft_wrap=True)


def _estimate_table(study: "Study", found: "Estimate") -> Table:
    from efield.campaign.estimate import duration

    table = Table(title=f"{study.document.get('title') or study.output}: nothing is computed yet")
    table.add_column("what")
    table.add_column("how much", justify="right")
    sizes = f"{len(study.heads)} heads x {len(study.targets)} targets x {len(study.coils)} coils"
    table.add_row("cells", f"{found.cells} = {sizes}")
    table.add_row("placements", f"{found.placements} = {found.cells} x {study.count}")
    table.add_row("drives", str(len(study.drive.values)))
    table.add_row("rows of the table", str(found.rows))
    table.add_row("chunks", f"{found.chunks} of {study.chunk} placements")
    table.add_row("engine", study.engine.kind)
    table.add_row("solves, at most", str(found.solves))
    table.add_row("disk, at most", _size(found.bytes))
    table.add_row("time in one process", f"about {duration(found.seconds)}")
    return table


def _size(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def _best_table(rows: list[dict[str, Any]], measure: str) -> Table:
    """As many columns as the console is wide: the measure, then where the coil is, then the other measures."""
    labels = ["head", "target", "coil"]
    # What is the same in all rows stands above them once.
    same = [name for name in labels if len({row[name] for row in rows}) == 1]
    places = [name for name in _PLACES if name in rows[0] and (name in _ALWAYS or any(row[name] for row in rows))]
    shown = [*(name for name in labels if name not in same), "placement", measure, *places]
    hidden = {*labels, *shown, *_PLACES, "matrix", "position", "didt"}
    columns = [*shown, *(name for name in rows[0] if name not in hidden)]
    drive = f"dI/dt = {rows[0]['didt'] / 1e6:g} A/us (V/m, mm, degrees)"
    table = Table(title="\n".join([f"Best placements by {measure}", ", ".join([*(rows[0][n] for n in same), drive])]))
    room = OUT.width - 1
    for number, name in enumerate(columns):
        cells = [_cell(row[name]) for row in rows]
        room -= max(len(name), *map(len, cells)) + 3
        if room < 0:
            columns = columns[:number]
            break
        table.add_column(name, justify="left" if name in labels else "right")
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in columns))
    return table


#: Where a coil is, in the order of what is needed to put it there.
_PLACES = ("angle_deg", "u_mm", "v_mm", "distance_mm", "tilt_x_deg", "tilt_y_deg", "lifted_mm")
_ALWAYS = _PLACES[:4]


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _print_map(store: "Store", row: dict[str, Any], measure: str) -> None:
    from efield.campaign.best import text_map

    lines = text_map(store, row, measure, OUT.width)
    if lines:
        where = f"{row['head']}, {row['target']}, {row['coil']}"
        OUT.print(f"{measure} (V/m) at the best angle, tilt and distance of each position; {where}", markup=False)
        OUT.print("u: mm toward medial, v: mm toward anterior, from the point over the target", markup=False)
        OUT.print("\n".join(lines), markup=False, soft_wrap=True)


def _draw(path: Path, store: "Store", row: dict[str, Any], measure: str) -> None:
    from efield.campaign.best import cell_dataset
    from efield.viz.maps import save_sweep_map

    save_sweep_map(path, cell_dataset(store, row), measure=measure)
    ERR.print(f"written: {path}", markup=False, soft_wrap=True)


def _print_condition(condition: Any) -> None:
    finished = condition.chunks - condition.pending
    OUT.print(f"{finished} of {condition.chunks} chunks are finished, {len(condition.damaged)} of them damaged")
    for name, files in condition.damaged.items():
        OUT.print(f"  chunk {name}: {', '.join(files)}", markup=False, soft_wrap=True)
    for name in condition.metadata:
        OUT.print(f"  sweep.zarr/{name} is missing or changed", markup=False, soft_wrap=True)
    OUT.print(f"tables: {condition.tables}")


def _print_json(found: dict[str, Any]) -> None:
    json.dump(found, sys.stdout, indent=2)
    sys.stdout.write("\n")
