"""`efield sweep`: run a study, look at its results, check and repair its store."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from efield.app import options
from efield.app.console import ERR, OUT, Bar, answer, aside, print_json, remark, say, say_written
from efield.app.pulses_request import PulsesRequest
from efield.campaign.problems import StudyError
from efield.ground import checks
from efield.ground.errors import InputError
from efield.ground.progress import Tell
from efield.io.atomic import replacing

if TYPE_CHECKING:
    from efield.campaign.run import Runner
    from efield.campaign.study import Study

#: What a shell reports for a program stopped by Ctrl-C.
_INTERRUPTED = 130


class _StudyOrCommand(TyperGroup):
    """`efield sweep study.toml` is `efield sweep run study.toml`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run`, or `pulses` where a recording is given, in front of what is not a command."""
        if args and args[0] not in self.commands and args[0] != "--help":
            recorded = any(word.partition("=")[0] == "--poses" for word in args)
            args = ["pulses" if recorded else "run", *args]
        return super().parse_args(ctx, args)


app = options.Commands(
    cls=_StudyOrCommand,
    help="Run a study: heads x coils x targets x placements, resumable, on one machine or many. "
    "`efield sweep STUDY` runs it; `efield sweep new` writes a commented one. "
    "`efield sweep --poses RECORDING` says what a session did: the field of every recorded pulse.",
    no_args_is_help=True,
    subcommand_metavar="STUDY | --poses RECORDING | COMMAND [ARGS]...",
)

StoreArgument = Annotated[Path, typer.Argument(metavar="STORE", help="Folder of results that `efield sweep` wrote.")]
WorkersOption = Annotated[
    int | None,
    "Compute in this many processes of one thread on this machine (extra `cluster`). Without it this process "
    "computes, with all cores and one head in memory.",
]
SchedulerOption = Annotated[
    str | None, "Compute on the Dask cluster at this address; it must be trusted (extra `cluster`)."
]


@app.command("run")
def run_study(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="A study (TOML).")],
    out: Annotated[Path | None, "Folder of the results, instead of the study's."] = None,
    dry_run: Annotated[bool, "Check the study and say what it takes."] = False,
    probe: Annotated[bool, "With --dry-run: time a few placements here."] = False,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    errors: Annotated[
        bool,
        "When all is finished, solve the best placement of each head, target and coil fully, and say how far "
        "the mesh leads each measure astray.",
    ] = True,
    as_json: options.Json = False,
) -> None:
    """Run a study, or go on with it: finished chunks are not computed again. (`run` may be left out.)

    Everything that is wrong with the study is listed before any work. Stop it at any time, however rudely, and give the
    same command again.

    Examples:

      efield sweep study.toml --dry-run

      efield sweep study.toml --workers 4
    """
    from efield.app import sweep_plan
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
            looked = sweep_plan.look(plan, probe)
            if as_json:
                print_json(looked.to_json())
            else:
                sweep_plan.print_plan(looked)
            return
        with _shown(plan, runner) as progress, _stoppable(plan, _again(study, out, workers, scheduler, errors)):
            outcome = run(plan, runner, progress, errors=errors)
    done = f"{outcome.chunks} chunks finished, {outcome.computed} of them now: {plan.output}"
    show = shlex.join(["efield", "sweep", "show", str(plan.output)])
    see = f"see `{show}`, table.csv, table.parquet, and sweep.zarr for xarray.open_zarr"
    answer({"store": plan.output, **vars(outcome)}, as_json, done, see)


@app.command()
def show(
    store: StoreArgument,
    top: Annotated[
        int | None, typer.Option(min=1, help="How many placements of each cell; 10, or 3 of each of several.")
    ] = None,
    measure: Annotated[
        str | None,
        "What placements are ranked by; E along the target's preferred direction (along) unless given, or the "
        "size of the field where a target has none.",
    ] = None,
    head: Annotated[str | None, "Of this head of the study only."] = None,
    target: Annotated[str | None, "Of this target of the study only."] = None,
    coil: Annotated[str | None, "Of this coil of the study only."] = None,
    pose: Annotated[
        Path | None,
        "Write the best pose of each cell to this file, for `efield simulate --pose` or a navigator; the "
        "suffix chooses the format, as of `efield poses convert`.",
    ] = None,
    to: Annotated[str | None, "Format of --pose, where its suffix does not tell."] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--map", help="Draw the map of each cell, over the gyri, to this file; several as one sheet."),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print as CSV on standard output, poses included.")] = False,
    as_json: options.Json = False,
) -> None:
    """The best placements of each head, target and coil, and a map; also while the study runs.

    Of a measure without a sign a coil and the same turned by 180 degrees count as one. For each target the better coil
    comes first.

    Examples:

      efield sweep show hand-study --top 5 --measure mean_magnitude

      efield sweep show hand-study --target hand --coil d70 --map map.png --pose best.txt
    """
    from efield.app import sweep_best
    from efield.campaign.store import reading

    if as_csv and as_json:
        raise InputError("--csv and --json must not be given together; each says how to print")
    if to is not None and pose is None:
        raise InputError("--to must come with --pose FILE, which it is the format of")
    found = reading(store)
    blocks = sweep_best.shown(found, measure, top, {"head": head, "target": target, "coil": coil})
    pending = len(found.pending())
    if as_json:
        print_json({"pending_chunks": pending, "blocks": [vars(block) for block in blocks]})
    elif as_csv:
        sweep_best.print_csv(found, blocks, sys.stdout)
    else:
        sweep_best.print_blocks(found, blocks)
    if pending:
        total = len(found.study.cells) * found.study.chunks_per_cell
        remark(f"{pending} of {total} chunks are not finished")
    if pose is not None:
        sweep_best.write_poses(pose, blocks, to)
    if picture is not None:
        sweep_best.draw(picture, found, blocks)


@app.command("pulses")
@options.asking_for(PulsesRequest)
def recorded_pulses(request: PulsesRequest, as_json: options.Json = False) -> None:
    """What a session did: the field of every recorded pulse, drift, maps, and where responses come from.

    (`pulses` may be left out.) The intensity of each pulse is the recorded one. Written are a table of the pulses, the
    mean and the sum of |E| over the gray matter, and, where there are responses of a muscle, how much of them |E|
    explains at each place. Research software: no treatment may depend on it.

    Examples:

      efield sweep --poses session.txt:samples --stimulator magstim-rapid2

      efield sweep --poses markers.xml --head m2m_ernie --plan plan.txt --mep amplitudes.txt
    """
    from efield.app.recordings import run
    from efield.app.tables import pulses_lines, pulses_table

    _, document = run(request)
    answer(document, as_json, pulses_table(document), *pulses_lines(document))
    if not as_json:
        say_written(document)


@app.command()
def check(
    store: StoreArgument,
    repair: Annotated[bool, "Compute again what is damaged or missing."] = False,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    as_json: options.Json = False,
) -> None:
    """Compare every file with its hash. Exit code 1 if something is damaged and was not repaired.

    Example:

      efield sweep check hand-study --repair
    """
    from efield.campaign import integrity
    from efield.campaign.store import reading

    if not repair and (workers is not None or scheduler is not None):
        raise InputError("--workers and --scheduler must go with --repair: without it nothing is computed")
    condition = integrity.check(store)
    repaired = False
    runner = _runner(workers, scheduler)
    if repair and (not condition.good or condition.pending):
        with _listed():
            plan = reading(store).study
            with (
                _shown(plan, runner) as progress,
                _stoppable(plan, shlex.join(["efield", "sweep", "check", str(store), "--repair"])),
            ):
                integrity.repair(store, runner, progress)
        repaired = True
    if as_json:
        print_json({**vars(condition), "good": condition.good, "repaired": repaired})
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
    if file.exists():
        raise InputError(f"{file} must not exist yet; delete it, or give another name")
    with replacing(file) as made:
        made.write_text(template.read_text(encoding="utf-8"), encoding="utf-8")
    say(f"written: {file}")


def _say_coils(study: "Study") -> None:
    """Which way each coil induces, and what its casing is."""
    from efield.app.coil_facts import casing_words
    from efield.coils.polarity import induced_words

    for entry in study.coils:
        coil = entry.load(study.base)
        direction = induced_words(coil) or "no one direction: angles are those of its y axis"
        aside(f"coil {entry.label}: a rising current induces along {direction}; casing {casing_words(coil)}")


def _again(study: Path, out: Path | None, workers: int | None, scheduler: str | None, errors: bool) -> str:
    """The command that goes on with a run."""
    wanted = {"--out": out, "--workers": workers, "--scheduler": scheduler}
    given = [text for name, value in wanted.items() if value is not None for text in (name, str(value))]
    return shlex.join(["efield", "sweep", str(study), *given, *([] if errors else ["--no-errors"])])


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
def _shown(study: "Study", runner: "Runner | None") -> Iterator[Tell]:
    """Shows a run on the console: placements as a bar, notes as lines of their own beside it."""
    said = ""

    def tell(done: int, total: int, note: str) -> None:
        nonlocal said
        if not note:
            bar(done, total)
        elif note != said:
            aside(note)
            said = note

    # A run in this process says itself how long it will take.
    with Bar("sweep", study.count * len(study.cells), "placements", timed=runner is not None) as bar:
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
        aside(f"stopped: {done} of {total} chunks are finished; to go on: {command}")
        raise typer.Exit(_INTERRUPTED) from None


def _print_condition(condition: Any) -> None:
    finished = condition.chunks - condition.pending
    OUT.print(f"{finished} of {condition.chunks} chunks are finished, {len(condition.damaged)} of them damaged")
    for name, files in condition.damaged.items():
        say(f"  chunk {name}: {', '.join(files)}")
    for name in condition.metadata:
        say(f"  sweep.zarr/{name} is missing or changed")
    OUT.print(f"tables: {condition.tables}")
