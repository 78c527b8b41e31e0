"""Whether this machine can draw with OpenGL, found out without risking the running program.

Without GL libraries VTK does not raise, it kills the process at its first render. So the first render happens
in a child process. A success is remembered together with the driver files that it used: when one of them is
gone or changed, or the environment differs, the child is asked again. A failure is never remembered on disk,
because the remedy is to install the libraries.
"""

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

#: Set to anything but 0 to draw without OpenGL, whatever the machine can do.
NO_GL_VARIABLE: Final = "EFIELD_NO_GL"

_SUCCESS: Final = "efield-rendered:"

#: One lit triangle, read back: loads the same libraries as a picture and proves that pixels arrive. The list
#: of mapped drivers exists on Linux only; elsewhere OpenGL is part of the system. A crash leaves no core file.
_CHILD: Final = f"""
import contextlib, json, pathlib
with contextlib.suppress(Exception):
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import pyvista
plotter = pyvista.Plotter(off_screen=True, window_size=(32, 32))
plotter.add_mesh(pyvista.Triangle(), color="red")
image = plotter.screenshot(return_img=True)
assert image.shape == (32, 32, 3) and image.std() > 0
maps = pathlib.Path("/proc/self/maps")
mapped = {{row.split()[-1] for row in maps.read_text().splitlines()}} if maps.exists() else set()
plotter.close()
drivers = [f for f in mapped if f[0] == "/" and any(w in f.lower() for w in ("gl", "dri", "gallium", "mesa"))]
print({_SUCCESS!r} + json.dumps(sorted(f for f in drivers if ".so" in f)), flush=True)
"""

#: Long enough for a cold start on a busy machine with a slow disk; a hang must not outlast a minute.
_TIMEOUT_S: Final = 45.0

#: What decides which OpenGL library VTK loads.
_ENVIRONMENT: Final = (
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "EGL_PLATFORM",
    "VTK_DEFAULT_OPENGL_WINDOW",
    "VTK_DEFAULT_EGL_DEVICE_INDEX",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "LIBGL_ALWAYS_SOFTWARE",
    "LIBGL_DRIVERS_PATH",
    "GALLIUM_DRIVER",
    "CUDA_VISIBLE_DEVICES",
)


def can_render() -> bool:
    """Whether VTK can render off screen here; asked of a child process at most once per process.

    Returns
    -------
    bool
        False if the variable ``EFIELD_NO_GL`` is set (to anything but 0), or if a child process that renders one
        triangle crashes, fails, hangs or draws nothing.
    """
    if os.environ.get(NO_GL_VARIABLE, "0") not in ("", "0"):
        return False
    return _probed(_fingerprint())


def remedy() -> str:
    """One line on how to make `can_render` true here."""
    if os.environ.get(NO_GL_VARIABLE, "0") not in ("", "0"):
        return f"drawn without OpenGL because {NO_GL_VARIABLE} is set; unset it to get the three-dimensional scene"
    if platform.system() == "Linux":
        return (
            "drawn without OpenGL, which is missing here; for the three-dimensional scene install its libraries, "
            "on Debian and Ubuntu: apt-get install libegl1 libgl1-mesa-dri"
        )
    return "drawn without OpenGL, which does not work here; for the three-dimensional scene update the graphics driver"


@lru_cache(maxsize=4)
def _probed(fingerprint: str) -> bool:
    remembered = cache_folder() / f"render-{fingerprint}.json"
    if _still_valid(remembered):
        return True
    drivers = render_in_child([sys.executable, "-c", _CHILD])
    if drivers is None:
        return False
    _remember(remembered, drivers)
    return True


def render_in_child(command: Sequence[str], timeout_s: float = _TIMEOUT_S) -> list[str] | None:
    """Run a command that renders and reports; its crash, failure, silence or hang is an answer, not an error.

    Parameters
    ----------
    command : sequence of str
        Program and arguments of the child.
    timeout_s : float, s
        After this long the child is killed.

    Returns
    -------
    list of str or None
        Files of the graphics drivers that the child loaded; None if it could not render.
    """
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and our own text, no shell
            list(command), stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    report = next((row for row in child.stdout.decode(errors="replace").splitlines() if row.startswith(_SUCCESS)), None)
    # VTK may still crash while it tears the window down: the program that draws would die of that too.
    if child.returncode != 0 or report is None:
        return None
    try:
        return [str(name) for name in json.loads(report.removeprefix(_SUCCESS))]
    except ValueError:
        return None


def cache_folder() -> Path:
    """Where this user's programs keep what they can compute again, by the custom of the operating system."""
    home = Path(os.path.expanduser("~"))
    if platform.system() == "Darwin":
        base = home / "Library" / "Caches"
    elif platform.system() == "Windows":
        base = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "efield"


def _fingerprint() -> str:
    parts = [_vtk_version(), sys.prefix, platform.node(), platform.machine()]
    parts += [f"{name}={os.environ.get(name)}" for name in _ENVIRONMENT]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]


def _vtk_version() -> str:
    try:
        return version("vtk")
    except PackageNotFoundError:  # a VTK built into the system has no package record
        return "unknown"


def _stamp(name: str) -> list[int]:
    status = os.stat(name)
    return [status.st_size, status.st_mtime_ns]


def _still_valid(remembered: Path) -> bool:
    try:
        stamps = json.loads(remembered.read_text())
        return all(_stamp(name) == stamp for name, stamp in stamps.items())
    except (OSError, ValueError, AttributeError):
        return False


def _remember(remembered: Path, drivers: Sequence[str]) -> None:
    # A home that cannot be written costs the next run one probe, nothing more.
    with suppress(OSError):
        remembered.parent.mkdir(parents=True, exist_ok=True)
        temporary = remembered.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps({name: _stamp(name) for name in drivers}))
        temporary.replace(remembered)
