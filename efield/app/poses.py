"""`efield poses`: look at files of poses, check them on a head, convert them between programs."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table
from rich.text import Text

from efield.app import options
from efield.app.console import OUT, print_json, remark, say
from efield.ground import checks
from efield.ground.card import counted
from efield.ground.directions import in_words
from efield.ground.errors import InputError
from efield.io.volumes.nifti import read_grid

if TYPE_CHECKING:
    from efield.io.poses.pose_table import PoseTable
    from efield.targeting.pose_check import PoseCheck

app = options.Commands(
    help="Poses of navigators and other programs: look, check on a head, convert.", no_args_is_help=True
)

FileArgument = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="Brainsight .txt, Localite .xml, Softaxic .stmpx, visor2 .mrk, NIBS-BIDS _markers.tsv, SimNIBS .csv, "
        ".json, .npy, .mat or matrices as text; FILE:NAME, FILE:samples or FILE:3 for some of them.",
    ),
]
FormatOption = Annotated[
    str | None, typer.Option("--from", help="Format, where suffix and content do not tell (invesalius, ...).")
]
FrameOption = Annotated[str | None, "RAS or LPS: axes of the coordinates, where the file does not say or is wrong."]
AxesOption = Annotated[
    str | None, "Axes of the coil, if not the format's: simnibs, brainsight, localite, softaxic, invesalius, handle."
]
PolarityOption = Annotated[
    int | None, "1: dI/dt > 0 induces current along +y, as is shown unless given; -1: along -y, toward the handle."
]
CoilOption = Annotated[
    str | None, typer.Option("--coil", help="The coil, by name or file: which way its current runs is then known.")
]

#: More rows than this are for a file, not for a screen.
_SHOWN = 40


def _read(
    file: str,
    format: str | None,
    frame: str | None,
    axes: str | None,
    polarity: int | None = None,
    coil: str | None = None,
) -> "PoseTable":
    from efield.io.poses.reading import read_poses

    induced = _induced(polarity, coil)
    return replace(read_poses(file, format=format, frame=frame, axes=axes), induced=induced)


@app.command()
def info(
    file: FileArgument,
    format: FormatOption = None,
    frame: FrameOption = None,
    axes: AxesOption = None,
    polarity: PolarityOption = None,
    coil: CoilOption = None,
    as_json: options.Json = False,
) -> None:
    """What a file holds: where each coil is, where its handle and the induced current point, what was dropped.

    Examples:

      efield poses info navigator.txt

      efield poses info coil.txt --from invesalius --json
    """
    table = _read(file, format, frame, axes, polarity, coil)
    if as_json:
        print_json(_facts(table))
        return
    OUT.print(_pose_rows(file, table))
    _tell(table)


@app.command()
def check(
    file: FileArgument,
    head: options.Head = "mni152",
    image: Annotated[Path | None, "The head's image (NIfTI): coordinates are then tried as its voxels."] = None,
    format: FormatOption = None,
    frame: FrameOption = None,
    axes: AxesOption = None,
    as_json: options.Json = False,
) -> None:
    """Do the poses lie on this head's scalp? If not, name the likely mistake. Exit code 1 if there is one.

    Tried are: LPS for RAS, axes of other programs, handle turned by 180 degrees, meters, and voxels with --image.

    Example:

      efield poses check navigator.txt --head m2m_ernie
    """
    from efield.io.load import load_head
    from efield.targeting.pose_check import check_poses

    table = _read(file, format, frame, axes)
    found = check_poses(table, load_head(head), _affine(head, image))
    if as_json:
        print_json(_check_facts(table, found))
    else:
        OUT.print(_check_rows(file, head, table, found))
        for line in found.lines():
            say(line)
        _tell(table)
    if not found.good:
        raise typer.Exit(1)


@app.command()
def convert(
    file: FileArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write; its suffix chooses the format.")],
    to: Annotated[
        str | None, "Format: brainsight, localite, visor2, nibs-bids, simnibs, invesalius, text, json, numpy, matlab."
    ] = None,
    format: FormatOption = None,
    frame: FrameOption = None,
    axes: AxesOption = None,
    polarity: PolarityOption = None,
    coil: CoilOption = None,
    as_json: options.Json = False,
) -> None:
    """Write poses for another program, and say where each handle and current points and what has no place there.

    Examples:

      efield poses convert markers.xml poses.csv

      efield poses convert navigator.txt:samples back.txt --to brainsight
    """
    from efield.io.poses.formats import FORMATS, format_of, written_format

    table = _read(file, format, frame, axes, polarity, coil)
    lost, kind = table.write(out, to), written_format(out, to)
    files = [out, *(kind.beside(table, out) if kind.beside else ())]
    if as_json:
        print_json(_facts(table) | {"written": list(map(str, files)), "no_place_for": lost})
        return
    OUT.print(_pose_rows(file, table))
    _tell(table)
    if lost:
        remark(f"{out.name} has no place for: {', '.join(lost)}")
    name = next(name for name, known in FORMATS.items() if known is kind)
    if not out.name.lower().endswith(kind.suffixes or ("\0",)) or format_of(out, out.read_bytes()) != name:
        remark(f"{out.name} is read with --from {name}")
    say(f"written: {', '.join(map(str, files))}")


def _induced(polarity: int | None, coil: str | None) -> tuple[float, ...] | None:
    """As `PoseTable.induced`."""
    if coil is not None:
        from efield.coils.polarity import induced_direction
        from efield.io.load import load_coil

        if polarity is not None:
            raise InputError("--coil and --polarity must not be given together: the coil's own is known")
        return induced_direction(load_coil(coil))
    if polarity is None:
        return ()
    checks.choice("--polarity", str(polarity), ("1", "-1"))
    return (0.0, float(polarity), 0.0)


def _affine(head: str, image: Path | None) -> Any:
    """Of the image named, or of the one in the head's subject folder."""
    inside = Path(head) / "T1.nii.gz"
    file = image or (inside if inside.is_file() else None)
    if file is None:
        return None
    return read_grid(file)[1]


def _pose_rows(file: str, table: "PoseTable") -> Table:
    shown = Table(title=f"{Path(file).name}: {counted(len(table), 'pose')}, RAS mm; current for dI/dt > 0")
    if table.induced == ():
        shown.caption = "current: of a +y coil; a -y coil's runs the other way (--coil NAME looks it up)"
    groups = any(table.groups)
    for column in ("", "name", *(["group"] if groups else []), "center (mm)", "handle toward", "current toward"):
        shown.add_column(column)
    columns = list(table.columns)
    for column in columns:
        shown.add_column(column, justify="right")
    currents = table.currents()
    for k in range(min(len(table), _SHOWN)):
        center = ", ".join(f"{value + 0.0:.1f}" for value in table.matrices[k, :3, 3])
        cells = [str(k + 1), table.names[k], *([table.groups[k]] if groups else []), center]
        current = "in no one direction" if table.induced is None else in_words(currents[k])
        cells += [in_words(table.handles[k]), current]
        cells += ["" if np.isnan(table.columns[name][k]) else f"{table.columns[name][k]:.4g}" for name in columns]
        shown.add_row(*cells)
    return shown


def _tell(table: "PoseTable") -> None:
    """What is not in the rows: frame, rounding, what was dropped."""
    notes = [
        f"in the file: {table.frame}" + (f" ({table.said})" if table.said else "") + f", coil axes of {table.axes}"
    ]
    notes += [f"times are from {table.began} on"] if table.began and "time_s" in table.columns else []
    turned = float(table.turned_deg.max(initial=0.0))
    notes += [f"axes were rounded in the file: turned by up to {turned:.2g} degrees"] if turned > 1e-3 else []
    for reason in dict.fromkeys(one.reason for one in table.dropped):
        names = [one.name for one in table.dropped if one.reason == reason]
        notes.append(f"{len(names)} dropped: {reason} ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''})")
    if len(table) > _SHOWN:
        notes.append(f"the first {_SHOWN} of {len(table)} are shown; --json has all")
    for note in [*notes, *table.notes]:
        remark(note)


def _facts(table: "PoseTable") -> dict[str, Any]:
    from efield.io.poses.words import CONVENTION

    currents, says, poses = table.currents().tolist(), table.says, []
    for k, name in enumerate(table.names):
        known = {key: float(values[k]) for key, values in table.columns.items() if not np.isnan(values[k])}
        current = None if table.induced is None else currents[k]
        where = {"handle": table.handles[k].tolist(), "induced_current": current, "says": says[k]}
        label = {"name": name, "group": table.groups[k], "matrix": table.matrices[k].tolist()}
        poses.append(label | where | known | {"turned_deg": float(table.turned_deg[k])})
    return {
        "convention": CONVENTION,
        "frame": "RAS",
        "read_as": {"frame": table.frame, "axes": table.axes},
        "said": table.said,
        "began": table.began,
        "dropped": [vars(one) for one in table.dropped],
        "notes": list(table.notes),
        "poses": poses,
    }


def _check_rows(file: str, head: str, table: "PoseTable", found: "PoseCheck") -> Table:
    shown = Table(title=f"{Path(file).name} on {Path(head).name}")
    for column in ("", "name", "on the scalp", "distance (mm)", "tilt (deg)", "side"):
        shown.add_column(column, justify="right" if "(" in column else "left")
    for k in range(min(len(table), _SHOWN)):
        where = (f"{found.distance_mm[k]:.1f}", f"{found.tilt_deg[k]:.0f}", found.side[k])
        shown.add_row(str(k + 1), table.names[k], Text("yes") if found.on_scalp[k] else Text("no", "red"), *where)
    return shown


def _check_facts(table: "PoseTable", found: "PoseCheck") -> dict[str, Any]:
    rows = [
        {"name": name, "on_scalp": bool(on), "distance_mm": float(distance), "tilt_deg": float(tilt), "side": side}
        for name, on, distance, tilt, side in zip(
            table.names, found.on_scalp, found.distance_mm, found.tilt_deg, found.side, strict=True
        )
    ]
    likely = [vars(one) for one in found.mistakes]
    return {"good": found.good, "likely_mistakes": likely, "hints": list(found.hints), "poses": rows}
