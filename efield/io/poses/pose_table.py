"""Poses of a file, in our convention, with what else the file knows of them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from efield.ground import checks
from efield.ground.card import Card, Carded, counted, extent, listed
from efield.ground.errors import InputError
from efield.ground.pose import INDUCED, Pose
from efield.ground.rigid import put_right
from efield.io.atomic import replacing
from efield.io.poses.axes import AXES, FRAMES
from efield.io.poses.formats import written_format
from efield.io.poses.raw import COLUMNS, Dropped, FloatArray
from efield.io.poses.words import pose_words

#: An axis that was turned by less was not rounded by a program that writes many decimals (degrees).
_ROUNDED_DEG: Final = 1e-4


@dataclass(frozen=True, eq=False, repr=False)
class PoseTable(Carded):
    """Poses with names, and what is known of the pulse at each. An iterable of `Pose`, as every list of poses is.

    Parameters
    ----------
    matrices : (n, 4, 4) array_like, or a list of Pose
        Coil to head, mm, RAS: columns x, y, z, center; z into the head, y away from the handle.
    names : sequence of str, optional
        One for each; ``pose 1`` and so on where it is empty or not given.
    columns : mapping of str to (n,) array_like, optional
        Any of `efield.io.poses.raw.COLUMNS`: ``time_s``, ``intensity_percent``, ``didt`` (A/s), ``mep_uv``; nan where
        it is not known.
    groups : sequence of str, optional
        The kind of marker, such as ``"target"`` or ``"sample"`` of Brainsight.
    frame : {"RAS", "LPS"}
        The axes of the coordinates in the file that the poses come from. The matrices are always RAS.
    axes : str
        The axes of the coil in that file, a key of `efield.io.poses.axes.AXES`. Those of the matrices are always ours.
    said : str
        What the file calls its coordinates.
    began : str
        ISO date and time of the zero of ``time_s``, empty if it is not known.
    dropped : sequence of Dropped
        Poses of the file that are not here, each with the reason.
    notes : sequence of str
        What a reader of the table must know.
    turned_deg : (n,) array_like, optional
        By how much the axes in the file were turned to be perpendicular: what its rounding had made of them.
    induced : (3,) sequence of float or None, optional
        Where a rising current of the coil induces E, in its own axes (`efield.coils.polarity.induced_direction`; None
        for a coil without one direction). Empty where the coil is not known.

    Raises
    ------
    InputError
        If a matrix is not rigid, or lengths differ.

    Examples
    --------
    >>> table = ef.PoseTable([np.eye(4)], ["hotspot"], {"didt": [80e6]})
    >>> table["hotspot"].center_mm
    array([0., 0., 0.])
    >>> table.to_dataframe()["didt"].tolist()
    [80000000.0]
    """

    matrices: FloatArray
    names: tuple[str, ...] = ()
    columns: Mapping[str, FloatArray] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    frame: str = "RAS"
    axes: str = "simnibs"
    said: str = ""
    began: str = ""
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()
    turned_deg: FloatArray = field(default_factory=lambda: np.zeros(0))
    induced: Sequence[float] | None = ()

    def __post_init__(self) -> None:
        given = checks.as_float_array("matrices", self.matrices)
        matrices, turned = put_right("matrices", given.reshape(-1, 4, 4) if not given.size else given)
        if matrices.ndim != 3:
            raise InputError(f"matrices must have shape (n, 4, 4); instead received shape {matrices.shape}")
        count = len(matrices)
        for key in self.columns:
            checks.choice("a column", key, COLUMNS)
        numbers = {key: np.array(values, np.float64) for key, values in self.columns.items()}
        if len(self.turned_deg):
            turned = np.array(self.turned_deg, np.float64)
        named = tuple(str(name) or f"pose {k}" for k, name in enumerate(self.names, 1)) or tuple(
            f"pose {k}" for k in range(1, count + 1)
        )
        groups = tuple(map(str, self.groups)) or ("",) * count
        shapes = {"names": (len(named),), "groups": (len(groups),), "turned_deg": turned.shape}
        for what, shape in (shapes | {key: values.shape for key, values in numbers.items()}).items():
            if shape != (count,):
                raise InputError(f"{what} must have one entry for each of {count} poses; instead has shape {shape}")
        checks.choice("frame", self.frame, FRAMES), checks.choice("axes", self.axes, AXES)
        if self.induced is not None and len(self.induced):
            object.__setattr__(self, "induced", tuple(checks.unit_vector("induced", self.induced).tolist()))
        object.__setattr__(self, "matrices", checks.read_only(matrices))
        object.__setattr__(self, "names", named)
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "columns", {key: checks.read_only(values) for key, values in numbers.items()})
        object.__setattr__(self, "turned_deg", checks.read_only(turned))

    def __len__(self) -> int:
        return len(self.matrices)

    def __iter__(self) -> Iterator[Pose]:
        return (Pose(matrix) for matrix in self.matrices)

    @overload
    def __getitem__(self, part: int | str) -> Pose: ...
    @overload
    def __getitem__(self, part: slice | NDArray[Any] | list[int]) -> Self: ...
    def __getitem__(self, part: int | str | slice | NDArray[Any] | list[int]) -> "Pose | PoseTable":
        """A pose by its number (from 0) or its name, or a table of some of them."""
        if isinstance(part, str):
            return self.chosen(part).only()
        if isinstance(part, int | np.integer):
            return Pose(self.matrices[part])
        rows = np.arange(len(self))[part]
        return replace(
            self,
            matrices=self.matrices[rows],
            names=tuple(self.names[k] for k in rows),
            groups=tuple(self.groups[k] for k in rows),
            columns={key: values[rows] for key, values in self.columns.items()},
            turned_deg=self.turned_deg[rows],
        )

    def chosen(self, choice: str) -> Self:
        """What ``FILE:CHOICE`` means: the poses of a name, else of a group, else the one of a number (from 1).

        Raises
        ------
        InputError
            If there is none; the nearest names are suggested.
        """
        wanted = choice.strip().lower()
        for labels in (self.names, self.groups, tuple(f"{group}s" for group in self.groups)):
            rows = [k for k, label in enumerate(labels) if label.lower() == wanted]
            if rows:
                return self[rows]
        if wanted.isascii() and wanted.isdigit() and len(wanted) < 9 and 0 < int(wanted) <= len(self):
            return self[[int(wanted) - 1]]
        for one in self.dropped:
            if one.name.lower() == wanted:
                raise InputError(f"the pose {one.name[:60]!r} of the file cannot be used: {one.reason}")
        near = get_close_matches(choice, self.names, n=3, cutoff=0.4) or self.names
        raise InputError(
            f"a pose must be chosen by its name, its group or its number from 1 to {len(self)}; instead received "
            f"{choice!r}; there are {listed((repr(name) for name in near), 6)}"
        )

    def only(self) -> Pose:
        """The pose of a table of one.

        Raises
        ------
        InputError
            If there are several, or none; the message says how one is chosen.
        """
        if not len(self):
            why = f": {self.dropped[0].reason}" if self.dropped else ""
            raise InputError(f"one pose is needed; instead there is none that can be used{why}")
        if len(self) != 1:
            names = listed((f"{number}: {name}" for number, name in enumerate(self.names, 1)), 6)
            raise InputError(
                f"one pose is needed; instead there are {len(self)} ({names}): choose one by name or number, as in "
                "FILE:NAME or FILE:2"
            )
        return self[0]

    @property
    def is_pulse(self) -> NDArray[np.bool_]:
        """(n,) whether anything is known of a pulse at each."""
        known = np.zeros(len(self), bool)
        for values in self.columns.values():
            known |= ~np.isnan(values)
        return known

    @property
    def handles(self) -> FloatArray:
        """(n, 3) unit vectors along the handles, -y."""
        return -self.matrices[:, :3, 1]

    def currents(self, induced: ArrayLike | None = None) -> FloatArray:
        """(n, 3) directions of the current that a rising dI/dt induces; `induced` as in `Pose.current`."""
        along = (self.induced or INDUCED) if induced is None else induced
        return np.asarray(self.matrices[:, :3, :3] @ checks.unit_vector("induced", along))

    @property
    def says(self) -> list[str]:
        """Where the handle and the induced current of each point, in words."""
        return [pose_words(pose, self.induced) for pose in self]

    def to_dataframe(self) -> Any:
        """A `pandas.DataFrame`: a row for each pose, with name, group, columns, and the numbers of the matrix."""
        from pandas import DataFrame

        found: dict[str, Any] = {"name": list(self.names), "group": list(self.groups), **self.columns}
        for column, letter in enumerate(("x", "y", "z")):
            found |= {f"{letter}_{axis}": self.matrices[:, k, column] for k, axis in enumerate("xyz")}
        found |= {f"center_{axis}_mm": self.matrices[:, k, 3] for k, axis in enumerate("xyz")}
        return DataFrame(found | {"turned_deg": self.turned_deg})

    def to_dataset(self) -> Any:
        """An `xarray.Dataset` over the dimension ``pose``, with units."""
        from xarray import Dataset

        found: dict[str, Any] = {"matrix": (("pose", "row", "column"), self.matrices, {"units": "mm", "frame": "RAS"})}
        for key, values in self.columns.items():
            unit, meaning = COLUMNS[key]
            found[key] = ("pose", values, {"units": unit, "long_name": meaning})
        where = {"name": ("pose", list(self.names)), "group": ("pose", list(self.groups))}
        return Dataset(found, where, {"frame": self.frame, "coordinates_said": self.said, "began": self.began})

    def write(self, path: str | os.PathLike[str], format: str | None = None) -> list[str]:
        """Write a file for another program, whole or not at all.

        Parameters
        ----------
        path : path_like
            The suffix chooses the format: ``.txt`` (matrices), ``.csv`` (SimNIBS), ``.xml`` (Localite), ``.mrk``
            (visor2), ``_markers.tsv`` (NIBS-BIDS), ``.json``, ``.npy``, ``.mat``.
        format : str, optional
            Key of `efield.io.poses.formats.FORMATS`, such as ``"brainsight"`` or ``"invesalius"``.

        Returns
        -------
        list of str
            What the format has no place for.

        Raises
        ------
        InputError
            If the format is not known or cannot be written, or there is no pose.
        """
        kind, file = written_format(path, format), Path(path)
        if not len(self):
            raise InputError("a table must hold a pose to be written; instead it is empty")
        files = {file: kind.write(self) if kind.write else b""} | (kind.beside(self, file) if kind.beside else {})
        for place, content in files.items():
            with replacing(place) as temporary:
                temporary.write_bytes(content)
        known = {key: ~np.isnan(values) for key, values in self.columns.items()}
        twice = np.sum([known[key] for key in kind.one_of if key in known], axis=0) > 1
        lost = [key for key, there in known.items() if key not in kind.keeps and there.any()]
        second = [key for key in kind.one_of[1:] if key in known and (known[key] & twice).any()]
        return ([] if kind.names else ["names"]) + lost + second

    def _card(self) -> Card:
        turned = float(self.turned_deg.max(initial=0.0))
        rows = (
            ("size", counted(len(self), "pose") + (f", {len(self.dropped)} dropped" if self.dropped else "")),
            ("names", listed(self.names, 4)),
            ("frame", f"RAS now; {self.frame} in the file" + (f" ({self.said})" if self.said else "")),
            ("known", listed(self.columns)),
            ("rounding", f"axes were turned by up to {turned:.2g} degrees" if turned > _ROUNDED_DEG else ""),
            ("extent", extent(self.matrices[:, :3, 3])),
            ("notes", "; ".join(self.notes)),
        )
        return Card("PoseTable", rows)
