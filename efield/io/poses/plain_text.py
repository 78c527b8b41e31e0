"""Matrices as people and programs type them: 4x4 or 3x4, numbers only, or in the brackets of numpy and MATLAB."""

import re
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import InputError
from efield.io.bounded.cursor import Cursor, numbers
from efield.io.poses.axes import to_theirs
from efield.io.poses.raw import Raw, Told, from_stack, stacked
from efield.io.poses.words import decoded, on_one_line

if TYPE_CHECKING:
    from efield.io.poses.pose_table import PoseTable

_COMMENT: Final = re.compile(r"[#%].*")
_NAME: Final = re.compile(r"^\s*[#%]\s*pose:\s*(.*?)\s*$", re.MULTILINE)
_SEPARATORS: Final = str.maketrans(",;\t", "   ")
#: What stands before a bracket: ``coil_pose = np.array(``; the longest name is of 80 letters.
_ASSIGNED: Final = re.compile(r"([A-Za-z_]\w{0,79})\s*[=:]\s*(?:(?:np|numpy)\.)?(?:array\s*\(?|matrix\s*\(?)?\s*$")
#: MATLAB goes on in the next line.
_CONTINUED: Final = re.compile(r"\.\.\.[ \t]*\r?\n")


def read_text(cursor: Cursor, told: Told) -> Raw:
    """Matrices of numbers, with or without their last row; a comment ``# pose: NAME`` before each names it.

    Raises
    ------
    FileFormatError
        If there is anything else in the file.
    """
    text = decoded(cursor)
    names = _NAME.findall(text)
    plain = _CONTINUED.sub(" ", _COMMENT.sub("", text))
    if "[" in plain:
        found, assigned = _bracketed(plain)
    else:
        found, assigned = _numbers_only(cursor, plain), []
    if found is None or not len(found):
        raise cursor.error(
            "a file of poses must hold 16 numbers for each, a 4x4 matrix row by row (or 12, without its last row), and "
            "comments after # or %; instead it has other text or numbers: name its format if it has another"
        )
    names = next((given for given in (names, assigned) if len(given) == len(found)), [])
    return from_stack(found, told, names)


def write_text(table: "PoseTable") -> bytes:
    """Matrices with a comment before each: its name, and where handle and current point."""
    lines = ["# poses, coil to head, mm, RAS; columns: x, y, z and center", "# axes of the coil: simnibs"]
    for name, says, matrix in zip(table.names, table.says, table.matrices, strict=True):
        lines += [f"# pose: {on_one_line(name)}", f"# {says}"]
        lines += [" ".join(f"{value + 0.0:.17g}" for value in row) for row in matrix]
    return ("\n".join(lines) + "\n").encode()


def read_invesalius(cursor: Cursor, told: Told) -> Raw:
    """16 numbers a pose, in world coordinates (mm, RAS), with the axes of InVesalius' coil."""
    return read_text(cursor, Told(told.axes or "invesalius", told.frame))


def write_invesalius(table: "PoseTable") -> bytes:
    """16 numbers on a line for each pose."""
    rows = to_theirs(table.matrices, "invesalius").reshape(-1, 16)
    return "".join(" ".join(f"{value + 0.0:.17g}" for value in row) + "\n" for row in rows).encode()


def _numbers_only(cursor: Cursor, text: str) -> NDArray[np.float64] | None:
    """Poses of lines of 4, 12 or 16 numbers, or of all numbers together; one line of column names is passed over."""
    lines = [line for line in text.translate(_SEPARATORS).splitlines() if line.strip()]
    if len(lines) > 1 and not any(_is_number(word) for word in lines[0].split()):
        lines = lines[1:]
    flat = numbers(" ".join(lines).encode(), np.float64)
    if flat is None or not flat.size:
        return None
    wide = len(lines[0].split())
    if wide == 12 or (wide == 4 and _without_last_rows(flat)):
        size = 12
    else:
        size = 16 if flat.size % 16 == 0 or flat.size != 12 else 12
    return stacked(flat.reshape(-1, size)) if flat.size % size == 0 else None


def _without_last_rows(flat: NDArray[np.float64]) -> bool:
    """Whether rows of four numbers are those of 3x4 matrices: twelve rows could be of three poses or of four."""
    if flat.size % 12:
        return False
    return bool(flat.size % 16) or not np.allclose(flat.reshape(-1, 4, 4)[:, 3], (0.0, 0.0, 0.0, 1.0))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _bracketed(text: str) -> tuple[NDArray[np.float64] | None, list[str]]:
    """Matrices in outer brackets, and the names they are assigned to; brackets around anything else are passed over."""
    found, names, depth, start, end = [], [], 0, 0, 0
    for match in re.finditer(r"[\[\]]", text):
        if match.group() == "[":
            start = match.start() if depth == 0 else start
            depth += 1
        elif depth:
            depth -= 1
            if depth:
                continue
            matrices = _inside(text[start : match.end()])
            name = _ASSIGNED.search(text[max(end, start - 200) : start])
            end = match.end()
            if matrices is not None:
                found.append(matrices)
                names += [name.group(1) if name and len(matrices) == 1 else ""] * len(matrices)
    return (np.concatenate(found) if found else None), names if any(names) else []


def _inside(text: str) -> NDArray[np.float64] | None:
    """The matrices of the numbers in brackets; None if it is something else, such as a point."""
    flat = numbers(re.sub(r"[\[\]()]", " ", text).translate(_SEPARATORS).encode(), np.float64)
    if flat is None or not flat.size or flat.size % 4:
        return None
    size = 12 if _without_last_rows(flat) else 16
    try:
        return stacked(flat.reshape(-1, size)) if flat.size % size == 0 else None
    except InputError:
        return None
