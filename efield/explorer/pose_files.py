"""Files of poses that come from a page and go to it, as bytes: a page knows no paths of this machine."""

from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from efield.ground import checks
from efield.ground.errors import EfieldError, InputError
from efield.io.poses.formats import FORMATS, SUFFIXES, WRITTEN
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.reading import read_poses


def written(table: PoseTable, format: str) -> tuple[str, bytes]:
    """Name and content of a file with some poses; several files are packed together.

    Raises
    ------
    InputError
        If the format cannot be written, or there is none.
    """
    kind = FORMATS[checks.choice("format", format, WRITTEN)]
    suffix = kind.suffixes[0] if kind.suffixes else ".txt"
    with TemporaryDirectory(prefix="efield-") as folder:
        file = Path(folder) / f"pose{suffix}"
        table.write(file, format)
        files = sorted(path for path in Path(folder).iterdir())
        if len(files) == 1:
            return file.name, file.read_bytes()
        packed = Path(folder) / "pose.zip"
        with ZipFile(packed, "w") as archive:
            for path in files:
                archive.write(path, path.name)
        return packed.name, packed.read_bytes()


def uploaded(content: bytes, name: str) -> PoseTable:
    """The poses of an uploaded file; of its name the suffix counts.

    Raises
    ------
    InputError
        If no format has the suffix, or it cannot be read.
    """
    suffix = next((known for known in sorted(SUFFIXES, key=len, reverse=True) if name.lower().endswith(known)), None)
    if suffix is None:
        raise InputError(f"a file of poses must end in {', '.join(SUFFIXES)}; instead received {name[-60:]!r}")
    with TemporaryDirectory(prefix="efield-") as folder:
        file = Path(folder) / f"uploaded{suffix}"
        file.write_bytes(content)
        try:
            return read_poses(file)
        except EfieldError as error:
            raise InputError(str(error).replace(str(file), Path(name).name[-60:] or "the file")) from error
