"""SimNIBS ``.ccd`` coil files: magnetic dipoles as text.

Line 1 is ``# name version 1.1;key=value;...``, line 2 the number of dipoles, line 3 a comment; then one row per
dipole: x y z in meters, and the moment per ampere of coil current in A m^2. The sources are used as they stand in
the file, in the file's coil frame and with its sign of the current.
"""

import codecs
import os
import re
import warnings
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.coils.model import Coil, Dipoles
from efield.ground.errors import InputError, naming
from efield.ground.units import AMPERE_PER_MICROSECOND, m_to_mm, mm_to_m
from efield.io.atomic import replacing
from efield.io.bounded.cursor import Cursor, numbers

#: Largest dI/dt of any stimulator (A/us), with room; from the second on a number can only be in A/s.
_LARGEST_A_PER_US: Final = 1000.0
_LEAST_A_PER_S: Final = 1e6

#: What files write for a number that is not known.
_UNKNOWN: Final = frozenset({"", "none", "n/a", "na", "nan", "null", "-", "unknown"})

#: Fortran writes 1.0D-03; lists are also separated by semicolons and tabs.
_TO_NUMBERS: Final = bytes.maketrans(b"Dd;\t", b"ee  ")

#: A winding is this many dipoles or more, whose moments are one vector to this share.
_MANY: Final = 20
_ONE_WAY: Final = 0.9

#: No winding is farther than this (m) from its coil's origin; a larger number is a file in millimeters.
_FARTHEST_M: Final = 1.0


def read_ccd(path: str | os.PathLike[str]) -> Coil:
    """A coil from a ``.ccd`` file.

    Parameters
    ----------
    path : path_like
        The number of dipoles on line 2 is known to be wrong in files in circulation: the rows count, and a
        difference is warned about and noted in the coil's `assumptions`.

    Returns
    -------
    Coil
        One set of dipoles; its `max_didt` comes from ``dIdtmax`` (A/us) where given.

    Raises
    ------
    FileFormatError
        If the file is missing, empty, truncated within a row, holds anything but rows of six finite numbers, or
        its positions look like millimeters.
    """
    cursor = Cursor.open(path)
    lines = _plain(cursor).splitlines() or [b""]
    header = lines[0].decode("utf-8", errors="replace") if lines[0].startswith(b"#") else ""
    content = [line for line in lines if line.strip() and not line.lstrip().startswith(b"#")]
    if not header or not content:
        raise cursor.error("a .ccd file must start with '# name ...' and hold rows of dipoles; instead it does not")
    stated, rows = _stated(cursor, content), _rows(cursor, content[1:])
    entries = _entries(header)
    with naming(cursor.path):
        source, (max_didt, of_didt) = Dipoles(m_to_mm(rows[:, :3]), rows[:, 3:]), _max_didt(entries)
        name = entries.get("coilname") or _title(header) or Path(path).stem
        return Coil(
            name=name,
            sources=(source,),
            max_didt=max_didt,
            citation=f"{cursor.path.name}, as read",
            assumptions=(*_count_note(cursor.path, stated, len(rows)), *of_didt, *_half_note(name, source)),
        )


def write_ccd(path: str | os.PathLike[str], coil: Coil) -> None:
    """Write a coil that is made of magnetic dipoles.

    Parameters
    ----------
    path : path_like
        Written completely or not at all.
    coil : Coil
        All its sources must be `Dipoles`.

    Raises
    ------
    InputError
        If the coil has sources that the format cannot hold.
    """
    if not all(isinstance(source, Dipoles) for source in coil.sources):
        raise InputError(
            f"a .ccd file holds magnetic dipoles only; instead {coil.name} has other sources; "
            "write a .tcd (wires) or .nii.gz (sampled field) file"
        )
    points = np.concatenate([mm_to_m(s.points_mm) for s in coil.sources if isinstance(s, Dipoles)])
    moments = np.concatenate([s.moments_am2 for s in coil.sources if isinstance(s, Dipoles)])
    name = " ".join(coil.name.replace(";", " ").replace("=", " ").split())
    header = f"# {name} version 1.1"
    if coil.max_didt is not None:
        header += f";dIdtmax={coil.max_didt / AMPERE_PER_MICROSECOND!r}"
    rows = [" ".join(map(repr, row)) for row in np.hstack([points, moments]).tolist()]
    comment = "# centers (m) and moments (A m^2 per ampere) of the magnetic dipoles"
    with replacing(path) as temporary:
        lines = [f"{header};coilname={name}", str(len(rows)), comment, *rows, ""]
        temporary.write_text("\n".join(lines), "utf-8")


def _plain(cursor: Cursor) -> bytes:
    """The file's text without the mark that some editors put before it."""
    data = cursor.data
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise cursor.error("a .ccd file must be text in UTF-8 or ASCII; instead it is UTF-16: save it as plain text")
    return data.removeprefix(codecs.BOM_UTF8)


def _stated(cursor: Cursor, content: list[bytes]) -> int:
    text = content[0].strip()
    if not text.isdigit() or len(text) > 12:
        raise cursor.error(f"line 2 must be the number of dipoles; instead received {text[:40].decode('latin1')!r}")
    return int(text)


def _rows(cursor: Cursor, content: list[bytes]) -> NDArray[np.float64]:
    cells = [_cells(line) for line in content]
    flat = numbers(b" ".join(b" ".join(row) for row in cells), np.float64)
    if flat is None or not len(flat) or any(len(row) != 6 for row in cells):
        bad = (row for row in cells if len(row) != 6 or numbers(b" ".join(row), np.float64) is None)
        row = b" ".join(next(bad, [])).decode("latin1")[:60]
        raise cursor.error(
            "dipoles must be rows of six numbers x y z mx my mz; instead the file is damaged or truncated"
            + (f" at {row!r}" if row else "")
        )
    rows = flat.reshape(-1, 6)
    if not np.isfinite(rows).all():
        raise cursor.error("dipoles must be finite; instead the file holds nan or inf")
    if np.abs(rows[:, :3]).max() > _FARTHEST_M:
        raise cursor.error(
            f"positions must be in meters; instead one is {np.abs(rows[:, :3]).max():.3g}; divide millimeters by 1000"
        )
    if not rows[:, 3:].any():
        raise cursor.error("dipoles must have moments; instead all are zero")
    return rows


def _cells(line: bytes) -> list[bytes]:
    """The numbers of a row: between blanks, commas or semicolons, with Fortran's exponents or decimal commas."""
    cells = line.translate(_TO_NUMBERS).split()
    if len(cells) == 6 and all(cell.count(b",") <= 1 and cell.strip(b",") == cell for cell in cells):
        return [cell.replace(b",", b".") for cell in cells]
    return line.translate(_TO_NUMBERS).replace(b",", b" ").split()


def _count_note(path: Path, stated: int, found: int) -> tuple[str, ...]:
    if stated == found:
        return ()
    note = f"{path.name} states {stated} dipoles and holds {found}; the rows are used"
    if found < stated:
        warnings.warn(f"{note}; if the file was cut off, copy it again", stacklevel=3)
    return (note,)


def _entries(header: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in header.split(";")[1:])
    return {key.strip(): value.strip() for key, _, value in pairs}


def _title(header: str) -> str:
    """What stands between the mark and the version; nothing where only those are there."""
    title = re.split(r"(?:^|\s)(?:version|number of elements)\b", header.lstrip("# \t").split(";")[0])[0]
    return title.strip()


def _max_didt(entries: dict[str, str]) -> tuple[float | None, tuple[str, ...]]:
    """``dIdtmax`` in A/s, and a note; files without a known value leave it out, or write None, n/a or 0."""
    text = entries.get("dIdtmax", "")
    if text.lower() in _UNKNOWN:
        return None, ()
    try:
        value = float(text.replace(",", ".").lower().replace("d", "e"))
    except ValueError:
        value = np.nan
    if value == 0:
        return None, ()
    if _LEAST_A_PER_S <= value <= _LEAST_A_PER_S * _LARGEST_A_PER_US:
        return value, (f"dIdtmax = {text} taken to be in A/s, {value / AMPERE_PER_MICROSECOND:g} A/us",)
    if not 0 < value <= _LARGEST_A_PER_US:
        raise InputError(
            f"dIdtmax must be a number in A/us, up to {_LARGEST_A_PER_US:g}; instead received {text[:40]!r}: "
            "120 A/us is written dIdtmax=120"
        )
    return value * AMPERE_PER_MICROSECOND, ()


def _half_note(name: str, source: Dipoles) -> tuple[str, ...]:
    """Files of twin coils in circulation hold one of the two."""
    low, high = source.points_mm[:, 0].min(), source.points_mm[:, 0].max()
    moment = np.linalg.norm(source.moments_am2.sum(axis=0)) / np.linalg.norm(source.moments_am2, axis=1).sum()
    beside = not low < 0 < high
    if len(source) < _MANY or moment < _ONE_WAY or not (beside or "twin" in name.lower()):
        return ()
    where = f", {'right' if low >= 0 else 'left'} of the origin" if beside else ""
    return (f"all dipoles point one way{where}: the file holds one half of a coil",)
