"""Where what can be computed again is kept between runs."""

import os
import platform
from pathlib import Path


def cache_folder() -> Path:
    """This user's folder for it, by the custom of the operating system; it need not exist."""
    home = Path(os.path.expanduser("~"))
    if platform.system() == "Darwin":
        base = home / "Library" / "Caches"
    elif platform.system() == "Windows":
        base = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "efield"
