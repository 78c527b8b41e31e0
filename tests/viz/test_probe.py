"""The probe answers; it never dies, hangs or believes an old answer."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pyvista

from efield.viz import probe

PYTHON = sys.executable
SAYS_YES = f"print({probe._SUCCESS!r}, flush=True)"


def child(code):
    return [PYTHON, "-c", code]


@pytest.mark.parametrize(
    "code",
    [
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        f"import os, signal; {SAYS_YES}; os.kill(os.getpid(), signal.SIGSEGV)",
        "import os; os.abort()",
        "raise RuntimeError('no display')",
        "pass",
        f"print('not ' + {probe._SUCCESS!r})",
    ],
    ids=["segfault", "segfault after success", "abort", "exception", "silence", "garbage"],
)
def test_a_child_that_fails_in_any_way_means_no(code):
    assert not probe.render_in_child(child(code))


def test_a_child_that_hangs_is_killed_and_means_no():
    assert probe.render_in_child(child("import time; time.sleep(60)"), timeout_s=0.5) is False


def test_a_program_that_does_not_exist_means_no(tmp_path):
    assert probe.render_in_child([str(tmp_path / "missing")]) is False


def test_a_childs_report_is_found_among_other_output():
    assert probe.render_in_child(child(f"print('warning'); {SAYS_YES}; print('bye')"))


def test_a_childs_noise_stays_off_the_terminal(capfd):
    probe.render_in_child(child("import sys; print('out'); print('err', file=sys.stderr)"))
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def asked(monkeypatch):
    """A child that always answers with `asked.can`, and a count of the questions."""

    class Asked:
        count = 0
        can = False

        def __call__(self, command, timeout_s=0.0):
            self.count += 1
            return self.can

    asked = Asked()
    monkeypatch.setattr(probe, "render_in_child", asked)
    monkeypatch.delenv(probe.NO_GL_VARIABLE, raising=False)
    probe._probed.cache_clear()
    yield asked
    probe._probed.cache_clear()


@pytest.mark.parametrize("can", [False, True])
def test_one_process_asks_once_and_the_next_again(asked, can):
    asked.can = can
    assert probe.can_render() is can
    assert probe.can_render() is can
    assert asked.count == 1
    probe._probed.cache_clear()
    asked.can = not can
    assert probe.can_render() is not can


def test_the_child_renders_exactly_where_the_library_that_draws_does(tmp_path):
    if probe.render_in_child(child(probe._CHILD)):
        plotter = pyvista.Plotter(off_screen=True, window_size=(40, 30))
        plotter.add_mesh(pyvista.Sphere())
        assert np.ptp(plotter.screenshot(return_img=True)) > 0  # it may end this process where the child was wrong
        plotter.close()
    else:
        program = "import sys, pyvista as pv; p = pv.Plotter(off_screen=True); p.add_mesh(pv.Sphere()); p.show()"
        assert subprocess.run([PYTHON, "-c", program], capture_output=True, check=False, cwd=tmp_path).returncode


@pytest.mark.parametrize(("value", "forced"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_the_variable_forces_drawing_without_gl(asked, monkeypatch, value, forced):
    asked.can = True
    monkeypatch.setenv(probe.NO_GL_VARIABLE, value)
    assert probe.can_render() is not forced
    assert ("EFIELD_NO_GL" in probe.remedy()) is forced


def test_the_advice_is_one_line_that_names_what_to_install(monkeypatch):
    monkeypatch.delenv(probe.NO_GL_VARIABLE, raising=False)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert "libegl1 libgl1-mesa-dri" in probe.remedy()
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert "driver" in probe.remedy()
    assert "\n" not in probe.remedy()


#: Libraries VTK looks for; a file that is no library stops the dynamic loader's search.
GL_LIBRARIES = (
    "libEGL.so.1",
    "libEGL.so",
    "libGL.so.1",
    "libGL.so",
    "libOpenGL.so.0",
    "libOSMesa.so.8",
    "libOSMesa.so",
)

DRAW_WITHOUT_GL = """
import runpy, sys
case = runpy.run_path(sys.argv[1])["make_case"]()
from efield.viz.picture import save_picture
report = save_picture(sys.argv[2], *case, width_mm=150, dpi=100)
print(report.kind, report.advice)
"""


def test_where_gl_libraries_cannot_be_loaded_slices_are_drawn_and_nothing_crashes(tmp_path):
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    for name in GL_LIBRARIES:
        (shadow / name).write_text("no library")
    environment = {**os.environ, "LD_LIBRARY_PATH": str(shadow)}
    environment.pop(probe.NO_GL_VARIABLE, None)
    picture = tmp_path / "m1.png"
    command = [PYTHON, "-W", "error", "-c", DRAW_WITHOUT_GL, str(Path(__file__).with_name("conftest.py")), str(picture)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert picture.stat().st_size > 10_000
    if platform.system() == "Linux":  # elsewhere OpenGL is part of the system and cannot be hidden this way
        assert done.stdout.startswith("slices drawn without OpenGL, which is missing here")
