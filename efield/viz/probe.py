"""Whether this machine can draw with OpenGL, found out without risking the running program.

Without GL libraries VTK does not raise, it kills the process at its first render. So the first render happens
in a child process, once for each program that draws. The child loads of VTK only what renders, and NumPy, which VTK can
do without, not at all: it takes a quarter of the time of one that loads PyVista, which opens the same kind of window.
"""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from typing import Final

#: Set to anything but 0 to draw without OpenGL, whatever the machine can do.
NO_GL_VARIABLE: Final = "EFIELD_NO_GL"

_SUCCESS: Final = "efield-rendered"

#: One lit square, read back: loads the same libraries as a picture and proves that pixels arrive. A crash leaves no
#: core file.
_CHILD: Final = f"""
import contextlib
with contextlib.suppress(Exception):
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import sys
sys.modules["numpy"] = None
import vtkmodules.vtkRenderingOpenGL2
from vtkmodules.vtkFiltersSources import vtkPlaneSource
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow, vtkWindowToImageFilter
square, mapper, actor = vtkPlaneSource(), vtkPolyDataMapper(), vtkActor()
mapper.SetInputConnection(square.GetOutputPort())
actor.SetMapper(mapper)
renderer, window, shot = vtkRenderer(), vtkRenderWindow(), vtkWindowToImageFilter()
renderer.AddActor(actor)
window.SetOffScreenRendering(True)
window.SetSize(32, 32)
window.AddRenderer(renderer)
window.Render()
shot.SetInput(window)
shot.Update()
low, high = shot.GetOutput().GetPointData().GetScalars().GetRange()
assert shot.GetOutput().GetNumberOfPoints() == 1024 and high > low
window.Finalize()
print({_SUCCESS!r}, flush=True)
"""

#: Long enough for a cold start on a busy machine with a slow disk; a hang must not outlast a minute.
_TIMEOUT_S: Final = 45.0


def can_render() -> bool:
    """Whether VTK can render off screen here; asked of a child process at most once per process.

    Returns
    -------
    bool
        False if the variable ``EFIELD_NO_GL`` is set (to anything but 0), or if a child process that renders one
        square crashes, fails, hangs or draws nothing.
    """
    if os.environ.get(NO_GL_VARIABLE, "0") not in ("", "0"):
        return False
    return _probed()


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


@cache
def _probed() -> bool:
    return render_in_child([sys.executable, "-c", _CHILD])


def render_in_child(command: Sequence[str], timeout_s: float = _TIMEOUT_S) -> bool:
    """Run a command that renders and reports; its crash, failure, silence or hang is an answer, not an error.

    Parameters
    ----------
    command : sequence of str
        Program and arguments of the child.
    timeout_s : float, s
        After this long the child is killed.

    Returns
    -------
    bool
        Whether it could render.
    """
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and our own text, no shell
            list(command), stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    # VTK may still crash while it tears the window down: the program that draws would die of that too.
    return child.returncode == 0 and _SUCCESS in child.stdout.decode(errors="replace").splitlines()
