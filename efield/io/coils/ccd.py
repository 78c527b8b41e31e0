"""SimNIBS ``.ccd`` coil files: magnetic dipoles as text.

Line 1 is ``# name version 1.1;key=value;...``, line 2 the number of dipoles, line 3 a comment; then one row per
dipole: x y z in meters, and the moment per ampere of coil current in A m^2. The sources are used as they stand in
the file, in the file's coil frame and with its sign of the current.
"""

import os
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
    lines = cursor.data.splitlines()
    header = lines[0].decode("utf-8", errors="replace") if lines[0].startswith(b"#") else ""
    content = [line for line in lines if line.strip() and not line.lstrip().startswith(b"#")]
    if not header or not content:
        raise cursor.error("a .ccd file must start with '# name ...' and hold rows of dipoles; instead it does not")
    stated, rows = _stated(cursor, content), _rows(cursor, content[1:])
    entries = _entries(header)
    notes = _count_note(cursor.path, stated, len(rows))
    with naming(cursor.path):
        return Coil(
            name=entries.get("coilname") or _title(header) or Path(path).stem,
            sources=(Dipoles(m_to_mm(rows[:, :3]), rows[:, 3:]),),
            max_didt=_max_didt(entries),
            citation=f"{cursor.path.name}, as read",
            assumptions=notes,
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


def _stated(cursor: Cursor, content: list[bytes]) -> int:
    text = content[0].strip()
    if not text.isdigit() or len(text) > 12:
        raise cursor.error(f"line 2 must be the number of dipoles; instead received {text[:40].decode('latin1')!r}")
    return int(text)


def _rows(cursor: Cursor, content: list[bytes]) -> NDArray[np.float64]:
    flat = numbers(b"\n".join(content), np.float64)
    if flat is None or not len(flat) or any(len(line.split()) != 6 for line in content):
        raise cursor.error(
            "dipoles must be rows of six numbers x y z mx my mz; instead the file is damaged or truncated"
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
    return header.lstrip("# ").split(";")[0].split(" version")[0].strip()


def _max_didt(entries: dict[str, str]) -> float | None:
    """``dIdtmax`` in A/s; files without a known value leave it out, or write None or 0."""
    text = entries.get("dIdtmax", "")
    try:
        value = float(text or 0)
    except ValueError:
        value = 0.0 if text == "None" else np.nan
    if not 0 <= value < np.inf:
        raise InputError(f"dIdtmax must be a number in A/us; instead received {text[:40]!r}")
    return value * AMPERE_PER_MICROSECOND or None
