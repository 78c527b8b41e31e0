"""What a file of poses says, before it is turned into our convention: what every reader of this wing returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import InputError

FloatArray = NDArray[np.float64]

#: What a file may know of each pulse: names, units and meanings.
COLUMNS: Final[dict[str, tuple[str, str]]] = {
    "time_s": ("s", "time of the pulse, from the file's own zero"),
    "intensity_percent": ("%", "percent of the stimulator's maximum output"),
    "didt": ("A/s", "rate of change of the coil's current"),
    "mep_uv": ("uV", "amplitude of the motor evoked potential, peak to peak"),
}

#: A list of more poses than this is another kind of file.
MOST_POSES: Final = 1_000_000


@dataclass(frozen=True)
class Dropped:
    """A pose of a file that is not in the table.

    Parameters
    ----------
    name : str
    reason : str
        Such as ``"the coil was not tracked"``.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Told:
    """What the caller says of a file: overrides it where it is silent or cannot be used. None: as the file says.

    Parameters
    ----------
    axes, frame : str, optional
        Keys of `efield.io.poses.axes.AXES` and `FRAMES`.
    """

    axes: str | None = None
    frame: str | None = None


@dataclass
class Raw:
    """Poses as a file has them.

    Parameters
    ----------
    axes, frame : str
        Keys of `efield.io.poses.axes.AXES` and `FRAMES`.
    said : str
        What the file calls its coordinates, for people.
    began : str
        ISO date and time of the zero of `time_s`; empty if the file does not say.
    """

    axes: str = "simnibs"
    frame: str = "RAS"
    said: str = ""
    began: str = ""
    matrices: list[Any] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    known: list[Mapping[str, float]] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, matrix: Any, group: str = "", known: Mapping[str, float | None] | None = None) -> None:
        """One more pose, with what is known of its pulse (`COLUMNS`; None if it is not)."""
        self.matrices.append(matrix)
        self.names.append(name)
        self.groups.append(group)
        self.known.append({key: value for key, value in (known or {}).items() if value is not None})

    def drop(self, name: str, reason: str) -> None:
        """One that cannot be used."""
        self.dropped.append(Dropped(name, reason))

    @property
    def columns(self) -> dict[str, FloatArray]:
        """What is known of any of the poses, nan where it is not."""
        names = [name for name in COLUMNS if any(name in known for known in self.known)]
        return {name: np.array([known.get(name, np.nan) for known in self.known], np.float64) for name in names}


def unsaid(told: Told, axes: str = "simnibs") -> Raw:
    """Poses of a file that does not say what its coordinates are."""
    return Raw(axes=told.axes or axes, frame=told.frame or "RAS", said="" if told.frame else "RAS assumed")


def from_stack(matrices: FloatArray, told: Told, names: list[str] | None = None) -> Raw:
    """Poses of which no more is known than their matrices (n, 4, 4), and perhaps their names."""
    raw = unsaid(told)
    for number, matrix in enumerate(matrices):
        raw.add(names[number] if names else "", matrix)
    return raw


def stacked(values: Any) -> FloatArray:
    """(n, 4, 4) matrices of an array of them: whole, without their last rows, or row by row on a line each.

    Raises
    ------
    InputError
        If it has another shape, or holds no numbers.
    """
    array = np.asarray(values)
    shape = array.shape
    if array.dtype.kind not in "fiu" or not array.size or array.size > 16 * MOST_POSES:
        raise InputError(f"poses must be numbers in 4x4 matrices; instead received {array.dtype} of shape {shape}")
    if shape[-2:] in ((4, 4), (3, 4)) and array.ndim in (2, 3):
        rows = array.reshape(-1, *shape[-2:])
    elif shape[-1:] in ((16,), (12,)) and array.ndim in (1, 2):
        rows = array.reshape(-1, shape[-1] // 4, 4)
    else:
        raise InputError(f"poses must have shape (n, 4, 4), (n, 3, 4), (n, 16) or (n, 12); instead received {shape}")
    matrices = np.zeros((len(rows), 4, 4))
    matrices[:, 3, 3] = 1.0
    matrices[:, : rows.shape[1]] = rows
    return matrices
