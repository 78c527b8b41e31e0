"""The probe answers; it never dies, hangs or believes an old answer."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from efield.viz import probe

PYTHON = sys.executable
SAYS_YES = f"print({probe._SUCCESS!r} + '[]', flush=True)"


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
        f"print({probe._SUCCESS!r} + 'not json')",
    ],
    ids=["segfault", "segfault after success", "abort", "exception", "silence", "garbage"],
)
def test_a_child_that_fails_in_any_way_means_no(code):
    assert probe.render_in_child(child(code)) is None


def test_a_child_that_hangs_is_killed_and_means_no():
    assert probe.render_in_child(child("import time; time.sleep(60)"), timeout_s=0.5) is None


def test_a_program_that_does_not_exist_means_no(tmp_path):
    assert probe.render_in_child([str(tmp_path / "missing")]) is None


def test_a_childs_report_is_found_among_other_output():
    code = f"print('warning'); print({probe._SUCCESS!r} + '[\"/lib/libEGL.so\"]'); print('bye')"
    assert probe.render_in_child(child(code)) == ["/lib/libEGL.so"]


def test_a_childs_noise_stays_off_the_terminal(capfd):
    probe.render_in_child(child("import sys; print('out'); print('err', file=sys.stderr)"))
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """An empty cache folder, a child that always answers with `asked.drivers`, and a count of the questions."""

    class Asked:
        count = 0
        drivers = None

        def __call__(self, command, timeout_s=0.0):
            self.count += 1
            return self.drivers

    asked = Asked()
    monkeypatch.setattr(probe, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(probe, "render_in_child", asked)
    monkeypatch.delenv(probe.NO_GL_VARIABLE, raising=False)
    probe._probed.cache_clear()
    yield asked
    probe._probed.cache_clear()


def new_process_asks():
    probe._probed.cache_clear()
    return probe.can_render()


def test_one_process_asks_once(asked):
    assert not probe.can_render()
    assert not probe.can_render()
    assert asked.count == 1


def test_success_is_remembered_for_the_next_process(asked, tmp_path):
    driver = tmp_path / "libEGL.so"
    driver.write_text("v1")
    asked.drivers = [str(driver)]
    assert new_process_asks()
    assert new_process_asks()
    assert asked.count == 1


@pytest.mark.parametrize("change", [lambda f: f.unlink(), lambda f: f.write_text("version 2")], ids=["gone", "changed"])
def test_success_is_forgotten_when_a_driver_file_is(asked, tmp_path, change):
    driver = tmp_path / "libEGL.so"
    driver.write_text("v1")
    asked.drivers = [str(driver)]
    assert new_process_asks()
    change(driver)
    asked.drivers = None
    assert not new_process_asks()
    assert asked.count == 2


def test_success_is_not_carried_to_another_environment(asked, monkeypatch):
    asked.drivers = []
    assert new_process_asks()
    monkeypatch.setenv("LD_LIBRARY_PATH", "/somewhere/else")
    assert new_process_asks()
    assert asked.count == 2


def test_failure_is_asked_again_by_the_next_process(asked):
    assert not new_process_asks()
    asked.drivers = []
    assert new_process_asks()


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"/lib/x.so": 3}', "\x00"])
def test_a_damaged_cache_file_only_costs_a_question(asked, content):
    asked.drivers = []
    assert new_process_asks()
    (remembered,) = probe.cache_folder().glob("*.json")
    remembered.write_text(content)
    assert new_process_asks()
    assert asked.count == 2
    assert json.loads(remembered.read_text()) == {}


def test_a_cache_that_cannot_be_written_is_no_error(asked, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(probe, "cache_folder", lambda: tmp_path / "file" / "efield")
    asked.drivers = []
    assert new_process_asks()


@pytest.mark.parametrize(("value", "forced"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_the_variable_forces_drawing_without_gl(asked, monkeypatch, value, forced):
    asked.drivers = []
    monkeypatch.setenv(probe.NO_GL_VARIABLE, value)
    assert new_process_asks() is not forced
    assert ("EFIELD_NO_GL" in probe.remedy()) is forced


def test_the_advice_is_one_line_that_names_what_to_install(monkeypatch):
    monkeypatch.delenv(probe.NO_GL_VARIABLE, raising=False)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert "libegl1 libgl1-mesa-dri" in probe.remedy()
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert "driver" in probe.remedy()
    assert "\n" not in probe.remedy()


@pytest.mark.parametrize(
    ("system", "variables", "expected"),
    [
        ("Linux", {"XDG_CACHE_HOME": "/c"}, Path("/c/efield")),
        ("Linux", {"HOME": "/h"}, Path("/h/.cache/efield")),
        ("Darwin", {"HOME": "/h"}, Path("/h/Library/Caches/efield")),
        ("Windows", {"LOCALAPPDATA": "/l"}, Path("/l/efield")),
    ],
)
def test_the_cache_is_where_the_system_wants_it(monkeypatch, system, variables, expected):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(platform, "system", lambda: system)
    assert probe.cache_folder() == expected


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
report = save_picture(sys.argv[2], *case, size=(800, 600))
print(report.kind, report.advice)
"""


def test_where_gl_libraries_cannot_be_loaded_slices_are_drawn_and_nothing_crashes(tmp_path):
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    for name in GL_LIBRARIES:
        (shadow / name).write_text("no library")
    environment = {**os.environ, "LD_LIBRARY_PATH": str(shadow), "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop(probe.NO_GL_VARIABLE, None)
    picture = tmp_path / "m1.png"
    command = [PYTHON, "-W", "error", "-c", DRAW_WITHOUT_GL, str(Path(__file__).with_name("conftest.py")), str(picture)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert picture.stat().st_size > 10_000
    if platform.system() == "Linux":  # elsewhere OpenGL is part of the system and cannot be hidden this way
        assert done.stdout.startswith("slices drawn without OpenGL, which is missing here")
