"""The table of formats: how a file is known, who reads it, who writes it, and what it keeps."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from efield.ground import checks
from efield.ground.errors import InputError
from efield.io.bounded.cursor import Cursor
from efield.io.poses.arrays import read_mat, read_npy, write_mat, write_npy
from efield.io.poses.brainsight import read_brainsight, write_brainsight
from efield.io.poses.coil_positions import KIND, read_coil_positions, write_coil_positions
from efield.io.poses.documents import read_json, write_json
from efield.io.poses.localite import LISTS, read_localite, write_localite
from efield.io.poses.nibs_bids import SUFFIX, beside_nibs_bids, read_nibs_bids, write_nibs_bids
from efield.io.poses.plain_text import read_invesalius, read_text, write_invesalius, write_text
from efield.io.poses.raw import COLUMNS, Raw, Told
from efield.io.poses.softaxic import read_softaxic
from efield.io.poses.visor2 import read_visor2, write_visor2

if TYPE_CHECKING:
    from efield.io.poses.pose_table import PoseTable

Reader = Callable[[Cursor, Told], Raw]
Writer = Callable[["PoseTable"], bytes]

_EVERYTHING: Final = frozenset(COLUMNS)


@dataclass(frozen=True)
class Format:
    """One kind of file.

    Parameters
    ----------
    title : str
        For people.
    suffixes : tuple of str
        In lower case; the first is that of files that are written. A writer is chosen by them.
    marks : tuple of bytes
        Any of these near the beginning tells such a file from others of the same suffix.
    keeps : frozenset of str
        Which of `COLUMNS` a written file holds.
    names : bool
        Whether it holds names.
    beside : callable, optional
        Further files that belong to a written one.
    one_of : tuple of str
        Of these columns it holds one for each pose, the first that is known.
    """

    title: str
    suffixes: tuple[str, ...]
    read: Reader
    write: Writer | None = None
    marks: tuple[bytes, ...] = ()
    keeps: frozenset[str] = frozenset()
    names: bool = True
    beside: Callable[["PoseTable", Path], dict[Path, bytes]] | None = None
    one_of: tuple[str, ...] = ()


#: By name. Of those that a file fits by its suffix, the first whose mark is found reads it, else the first without any.
FORMATS: Final[dict[str, Format]] = {
    "brainsight": Format(
        "Brainsight targets and samples",
        (".txt",),
        read_brainsight,
        write_brainsight,
        (b"# Coordinate system:", b"# Target Name\t", b"# Sample Name\t"),
        frozenset({"time_s", "intensity_percent", "mep_uv"}),
    ),
    "localite": Format(
        "Localite instrument or trigger markers",
        (".xml",),
        read_localite,
        write_localite,
        tuple(f"<{name}".encode() for name in LISTS),
        frozenset({"time_s", "didt", "intensity_percent"}),
    ),
    "softaxic": Format("Softaxic stimulation points", (".stmpx", ".xml"), read_softaxic, marks=(b"<fmp",)),
    "visor2": Format("ANT visor2 markers", (".mrk", ".json"), read_visor2, write_visor2, (b'"TargetMarkers"',)),
    "nibs-bids": Format(
        "NIBS-BIDS positions, with coordinate system and events beside them",
        (SUFFIX,),
        read_nibs_bids,
        write_nibs_bids,
        keeps=frozenset({"time_s", "intensity_percent", "didt"}),
        beside=beside_nibs_bids,
        one_of=("didt", "intensity_percent"),
    ),
    "simnibs": Format(
        "SimNIBS table of coil positions",
        (".csv",),
        read_coil_positions,
        write_coil_positions,
        (f"{KIND},".encode(),),
    ),
    "json": Format("our own list, a summary.json, or matrices", (".json",), read_json, write_json, keeps=_EVERYTHING),
    "numpy": Format("NumPy array", (".npy",), read_npy, write_npy, names=False),
    "matlab": Format("MATLAB variable", (".mat",), read_mat, write_mat, names=False),
    "text": Format("matrices as text", (".txt", ".dat", ".csv", ".tsv", ".m"), read_text, write_text),
    "invesalius": Format("InVesalius' 16 numbers", (), read_invesalius, write_invesalius, names=False),
}

#: Endings of files that poses are read from.
SUFFIXES: Final = tuple(sorted({suffix for known in FORMATS.values() for suffix in known.suffixes}))

#: Names of what can be written.
WRITTEN: Final = tuple(name for name, known in FORMATS.items() if known.write is not None)

#: How far into a file its mark is looked for: a table of positions may begin with hundreds of electrodes.
_MARKED: Final = 1 << 16

#: What a suffix stands for where poses are written and several formats have it.
_WRITTEN_AS: Final = {".txt": "text", ".json": "json", ".xml": "localite"}


def format_of(path: str | os.PathLike[str], data: bytes) -> str:
    """Name of the format of a file, by its suffix and its content.

    Raises
    ------
    InputError
        If no format has the suffix.
    """
    lower = os.fspath(path).lower()
    fits = [name for name, known in FORMATS.items() if lower.endswith(known.suffixes or ("\0",))]
    head = data[:_MARKED].replace(b"\0", b"")
    marked = [name for name in fits if any(mark in head for mark in FORMATS[name].marks)]
    plain = [name for name in fits if not FORMATS[name].marks]
    if not fits:
        raise InputError(
            f"a file of poses must end in {', '.join(SUFFIXES)}, or its format must be said ({', '.join(FORMATS)}); "
            f"instead received {os.fspath(path)}"
        )
    return (marked or plain or fits)[0]


def written_format(path: str | os.PathLike[str], name: str | None) -> Format:
    """The format that a file is written in, by its name or else by the file's suffix.

    Raises
    ------
    InputError
        If there is none, or it cannot be written.
    """
    lower = os.fspath(path).lower()
    if name is None:
        fits = [n for n in WRITTEN if lower.endswith(FORMATS[n].suffixes or ("\0",))]
        by_suffix = [n for suffix, n in _WRITTEN_AS.items() if lower.endswith(suffix)]
        if not fits:
            raise InputError(
                f"poses must be written to a file that ends in {', '.join(SUFFIXES)}, or the format must be said "
                f"({', '.join(WRITTEN)}); instead received {os.fspath(path)}"
            )
        name = (by_suffix or fits)[0]
    name = checks.choice("format", name, FORMATS)
    if FORMATS[name].write is None:
        raise InputError(f"format must be one that can be written: {', '.join(WRITTEN)}; instead received {name!r}")
    if FORMATS[name].beside is not None and not lower.endswith(FORMATS[name].suffixes):
        raise InputError(
            f"a file of {name} must end in {FORMATS[name].suffixes[0]}, as others stand beside it; instead received "
            f"{os.fspath(path)}"
        )
    return FORMATS[name]
