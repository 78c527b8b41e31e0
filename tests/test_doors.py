"""The package's face: complete, quick to import, and found by completion."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import efield as ef

ROOMS = ("coils", "head", "io", "viz")


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_of_a_room_is_where_it_says(room):
    package = getattr(ef, room)
    assert set(package.__all__) == set(dir(package))
    for name in package.__all__:
        found = getattr(package, name)
        assert getattr(import_module(getattr(found, "__module__", package.__name__)), name) is found


@pytest.mark.parametrize("room", ROOMS)
def test_no_public_name_is_hidden_by_a_file_of_its_room(room):
    package = getattr(ef, room)
    files = {path.stem for path in Path(package.__file__).parent.iterdir()}
    assert not files & set(package.__all__)


def test_all_names_of_the_face_are_there_and_are_listed():
    assert set(dir(ef)) == set(ef.__all__)
    for name in ef.__all__:
        assert getattr(ef, name) is not None
    assert {"mid_surface", "mesh_labels"} <= set(dir(ef.head))
    assert "read_surface" in dir(ef.io)
    assert "save_picture" in dir(ef.viz)


def test_a_name_that_is_not_there_is_an_error_of_python():
    for package in (ef, ef.head):
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            _ = package.nothing


def loaded_by(code):
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"], stdout=subprocess.PIPE, check=True
    )
    return set(done.stdout.decode().split())


def test_importing_the_package_and_asking_what_it_has_imports_nothing_heavy():
    loaded = loaded_by("import efield; [dir(getattr(efield, r)) for r in ('coils', 'head', 'io', 'viz')]")
    assert not {"numpy", "scipy", "numba", "rich", "pyvista", "matplotlib", "xarray"} & loaded


@pytest.mark.parametrize(("module", "heavy"), [("app.cli", {"numba", "scipy"}), ("campaign.run", {"scipy.stats"})])
def test_commands_and_studies_import_nothing_that_takes_longer_than_they_do(module, heavy):
    """Shells ask the command for every word they complete, and each worker of a study begins with these imports."""
    assert not heavy & loaded_by(f"import efield.{module}")


def test_the_rate_of_a_stimulator_is_asked_at_the_door():
    full = ef.didt("magstim-rapid2", "magstim-70mm-figure8", 100)
    assert full == pytest.approx(ef.load_coil("d70").max_didt)
    assert ef.didt("rapid2", ef.load_coil("d70"), 50) == pytest.approx(full / 2)
