"""Any file of poses to a table in our convention: the one door that everything which takes poses goes through."""

import os
from typing import Any, Final
from warnings import warn

import numpy as np

from efield.ground import checks
from efield.ground.errors import EfieldWarning, FileFormatError, InputError, naming
from efield.ground.pose import Pose, pose_matrices
from efield.ground.rigid import put_right
from efield.io.bounded.cursor import Cursor
from efield.io.choice import split_choice
from efield.io.poses.axes import checked_axes, checked_frame, from_theirs
from efield.io.poses.formats import FORMATS, SUFFIXES, format_of
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.raw import MOST_POSES, Raw, Told

_LARGEST_BYTES: Final = 1 << 28

#: Three decimals, as navigators write them, turn an axis by up to 0.05 degrees; what is more is said aloud.
_ROUNDED_DEG: Final = 0.06


def read_poses(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    frame: str | None = None,
    axes: str | None = None,
) -> PoseTable:
    """Poses of any navigator or program, in our convention.

    Parameters
    ----------
    path : path_like
        Brainsight ``.txt``, Localite ``.xml``, Softaxic ``.stmpx``, visor2 ``.mrk``, NIBS-BIDS ``_markers.tsv``,
        SimNIBS ``.csv``, ``.json``, ``.npy``, ``.mat``, or matrices as text. A choice may stand behind it,
        ``FILE:NAME``: poses of this name, of this group (``targets``, ``samples``), or with this number.
    format : str, optional
        Where suffix and content do not tell: a key of `efield.io.poses.formats.FORMATS`, such as ``"invesalius"``.
    frame : {"RAS", "LPS"}, optional
        Axes of the coordinates, where the file does not say or says what cannot be used.
    axes : str, optional
        Axes of the coil, where they are not those of the format: a key of `efield.io.poses.axes.AXES`.

    Returns
    -------
    PoseTable
        ``.matrices`` (n, 4, 4) in mm and RAS, ``.names``, ``.frame``, ``.dropped``, ``.columns``.

    Raises
    ------
    FileFormatError
        If the file is missing or damaged, or a matrix is sheared, scaled or mirrored; the pose is named.
    InputError
        If the format, frame or axes are not known, or there is no pose of that name.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     lost = ef.PoseTable([np.eye(4)], ["hotspot"]).write(f"{folder}/navigator.txt", "brainsight")
    ...     table = ef.read_poses(f"{folder}/navigator.txt:hotspot")
    >>> table.names, table.axes
    (('hotspot',), 'brainsight')
    """
    text, choice = split_choice(os.fspath(path), SUFFIXES)
    told = Told(None if axes is None else checked_axes(axes), None if frame is None else checked_frame(frame))
    if os.path.isfile(text) and os.path.getsize(text) > _LARGEST_BYTES:
        raise FileFormatError(f"{text} must be a file of poses; instead it has {os.path.getsize(text)} bytes")
    cursor = Cursor.open(text)
    name = format_of(text, cursor.data) if format is None else checks.choice("format", format, FORMATS)
    found = table_of(FORMATS[name].read(cursor, told), cursor)
    if choice is None:
        return found
    with naming(text):
        return found.chosen(choice)


def table_of(raw: Raw, cursor: Cursor) -> PoseTable:
    """A table of what a reader found, in our convention.

    Raises
    ------
    FileFormatError
        If there are too many, or one is not rigid; the message names it.
    """
    if len(raw.matrices) > MOST_POSES:
        raise cursor.error(f"a file of poses must hold at most {MOST_POSES}; instead it has {len(raw.matrices)}")
    theirs = np.array(raw.matrices, np.float64).reshape(-1, 4, 4)
    for number, matrix in enumerate(theirs):
        name = raw.names[number] or f"pose {number + 1}"
        if not np.isfinite(matrix).all():
            raise cursor.error(f"{name[:60]}: its numbers must be finite; instead some are nan or inf")
    turned = np.zeros(0)
    try:
        # In the file's own convention: what is wrong there is said in the file's own numbers.
        theirs, turned = put_right("the poses", theirs)
    except InputError:
        for number, matrix in enumerate(theirs):
            with cursor.naming(raw.names[number][:60] or f"pose {number + 1}"):
                put_right("its matrix", matrix)
        raise
    matrices = from_theirs(theirs, raw.axes, raw.frame)
    return PoseTable(
        matrices,
        tuple(raw.names),
        raw.columns,
        tuple(raw.groups),
        frame=raw.frame,
        axes=raw.axes,
        said=raw.said,
        began=raw.began,
        dropped=tuple(raw.dropped),
        notes=tuple(raw.notes),
        turned_deg=turned,
    )


def load_pose(path: str | os.PathLike[str]) -> Pose:
    """The one pose of a file, or the one that is chosen behind its name: ``markers.xml:hotspot``.

    Parameters
    ----------
    path : path_like
        As `read_poses` takes it.

    Returns
    -------
    Pose
        Coil to head, mm.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or holds several poses and none is chosen.

    Warns
    -----
    EfieldWarning
        Where the axes were rounded to fewer than three decimals; with how far they were turned.
    """
    table = read_aloud(path)
    try:
        return table.only()
    except InputError as error:
        raise FileFormatError(f"{os.fspath(path)}: {error}") from error


def read_aloud(path: str | os.PathLike[str]) -> PoseTable:
    """A table that nobody will see: what it knows of rounding is said."""
    table = read_poses(path)
    if (turned := float(table.turned_deg.max(initial=0.0))) > _ROUNDED_DEG:
        warn(
            f"{os.fspath(path)} was rounded to fewer than three decimals: its axes were turned by up to {turned:.2g} "
            "degrees to be perpendicular; export more decimals if that matters",
            EfieldWarning,
            stacklevel=3,
        )
    return table


def opened(poses: Any) -> Any:
    """The matrices of a file or of a table of poses; anything else as it is, for those who check lists of poses."""
    if isinstance(poses, str | os.PathLike):
        poses = read_aloud(poses)
    return poses.matrices if isinstance(poses, PoseTable) else poses


def opened_table(poses: Any) -> PoseTable:
    """A table as it is, that of a file, or one of a list of poses."""
    if isinstance(poses, PoseTable):
        return poses
    return read_poses(poses) if isinstance(poses, str | os.PathLike) else PoseTable(pose_matrices(poses))


def opened_one(pose: Any) -> Any:
    """The pose of a file or of a table of one; anything else as it is, for those who check a pose."""
    if isinstance(pose, str | os.PathLike):
        return load_pose(pose)
    return pose.only() if isinstance(pose, PoseTable) else pose
