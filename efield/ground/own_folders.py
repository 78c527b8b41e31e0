"""Folders of this user that need not be asked for: what can be computed again, and compiled kernels.

`settle_kernels` is called when the package is imported, before Numba is: Numba keeps compiled kernels beside their
source files or in the user's cache folder, and where neither can be written (an installation for all, a container, a
cluster's node without a home) it refuses to define them.
"""

import logging
import os
import platform
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

#: What Numba itself is told the folder by.
_VARIABLE: Final = "NUMBA_CACHE_DIR"

#: Like Matplotlib's note on the same occasion: one line on standard error, which a program can silence.
_LOG: Final = logging.getLogger("efield")


def user_caches() -> Path:
    """Where this user's programs keep what can be made again, by the custom of the operating system.

    A process without a home has a folder of its own among the temporary ones.
    """
    home = _home()
    if home is None:
        return Path(tempfile.gettempdir()) / _own_name()
    if platform.system() == "Darwin":
        return home / "Library" / "Caches"
    if platform.system() == "Windows":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")


def settle_kernels(package: Path) -> None:
    """Let Numba keep compiled kernels in a temporary folder if it has no other place, or else nowhere.

    Parameters
    ----------
    package : Path
        The folder of the package: kernels lie in ``kernels`` and the folders in it.
    """
    given = os.environ.get(_VARIABLE)
    if given and _writable(Path(given)):
        return
    kernels = package / "kernels"
    wings = [file.parent for file in kernels.rglob("__init__.py")]
    if all(_writable(wing / "__pycache__") for wing in wings) or (_home() and _writable(user_caches() / "numba")):
        return
    folder = _temporary()
    if folder is None:
        _keep_nothing()
        return
    os.environ[_VARIABLE] = str(folder)
    if numba := sys.modules.get("numba"):
        numba.config.CACHE_DIR = str(folder)
    _LOG.warning("note: compiled kernels are kept in %s; set %s to a folder that lasts", folder, _VARIABLE)


def _home() -> Path | None:
    home = Path(os.path.expanduser("~"))
    return home if home.is_absolute() else None


def _writable(folder: Path) -> bool:
    """Whether a file can be made in a folder, which is made if need be: what Numba tries."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _own_name() -> str:
    return f"efield-{os.getuid() if hasattr(os, 'getuid') else os.environ.get('USERNAME', 'user')}"


def _temporary() -> Path | None:
    """A temporary folder for later runs too, if it is this user's alone, for kernels are programs; else a new one."""
    with suppress(OSError):
        folder = Path(tempfile.gettempdir()) / f"{_own_name()}-kernels"
        folder.mkdir(mode=0o700, exist_ok=True)
        if _is_private(folder) and _writable(folder):
            return folder
        return Path(tempfile.mkdtemp(prefix="efield-kernels-"))
    return None


def _is_private(folder: Path) -> bool:
    """Whether nobody but this user can have written a folder."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return False
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)


def _keep_nothing() -> None:
    """Compile kernels anew in every process."""
    from numba.core.dispatcher import Dispatcher

    Dispatcher.enable_caching = lambda self: None
    _LOG.warning("note: no folder can be written, so kernels are compiled in every run; set %s", _VARIABLE)
