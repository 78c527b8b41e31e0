"""Arrays that can be made again, kept in a folder for the next one who needs the same.

A file belongs to one set of inputs and one version of everything that computes: its name is the hash of these, and its
seal covers name and content. What is missing, damaged or made by other versions is not there.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from efield.ground.errors import InputError
from efield.ground.version import __version__, version
from efield.io.sealed import read_arrays, write_arrays

#: Whose versions decide on the numbers in a file.
_PACKAGES: Final = ("numpy", "scipy", "pyamg", "numba")

_SUFFIX: Final = ".arrays"


@dataclass(frozen=True)
class Kept:
    """One file of arrays in a folder.

    Parameters
    ----------
    folder : Path
        Made when something is kept. Where it cannot be written, or the disk is full, nothing is kept, and nothing
        fails: whoever asks for the file makes the arrays again.
    kind : str
        What the file's name begins with.
    made_of : mapping of str to str, int or float
        What the arrays depend on beside the versions: hashes, options, the format of the file.
    """

    folder: Path
    kind: str
    made_of: Mapping[str, object]

    @property
    def _context(self) -> str:
        packages = {name: version(name) for name in _PACKAGES} | {"efield": __version__}
        return json.dumps({self.kind: {**self.made_of}, **packages})

    @property
    def path(self) -> Path:
        """The file, which may not be there."""
        return self.folder / f"{self.kind}-{sha256(self._context.encode()).hexdigest()[:20]}{_SUFFIX}"

    def read(self) -> dict[str, NDArray[Any]]:
        """The arrays that were kept.

        Raises
        ------
        SealError
            If they are not there, or not as they were written.
        """
        arrays = read_arrays(self.path, context=self._context, remedy="it is made again")
        with suppress(OSError):
            os.utime(self.path)
        return arrays

    def write(self, arrays: Mapping[str, NDArray[Any]], most: int | None = None) -> None:
        """Keep arrays; of this kind no more than `most` files, those unused for longest go first."""
        # A folder that cannot be written, or a full disk, costs the next run the work, nothing more.
        with suppress(OSError, InputError):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_arrays(self.path, arrays, context=self._context)
            by_use = sorted(self.folder.glob(f"{self.kind}-*{_SUFFIX}"), key=lambda file: file.stat().st_mtime)
            for old in by_use[: -most if most else 0]:
                old.unlink(missing_ok=True)
