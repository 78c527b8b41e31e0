"""Names and files become heads and coils; anything else is answered with what would work."""

import pytest
from numpy.testing import assert_array_equal

from efield.ground.errors import FileFormatError, InputError
from efield.io import load
from efield.io.meshes import gmsh, vtu


def test_heads_are_read_by_suffix(mesh, tmp_path):
    head = mesh.head()
    gmsh.write_head(tmp_path / "a.MSH", head)
    vtu.write_vtu(tmp_path / "a.vtu", head, cell_data={})
    for name in ("a.MSH", "a.vtu"):
        assert_array_equal(load.load_head(tmp_path / name).tissue, head.tissue)


def test_the_sphere_is_a_head_by_name():
    assert len(load.load_head("sphere").tags) >= 3


@pytest.mark.parametrize(("name", "suggestion"), [("mni125", "mni152"), ("spere", "sphere"), ("MNI152", "mni152")])
def test_a_misspelled_head_is_answered_with_the_nearest(name, suggestion):
    with pytest.raises(InputError, match=rf"did you mean '{suggestion}'"):
        load.load_head(name)


@pytest.mark.parametrize("loader", [load.load_head, load.load_coil])
def test_folders_and_unknown_suffixes_list_what_is_accepted(tmp_path, loader):
    with pytest.raises(InputError, match="folder"):
        loader(tmp_path)
    with pytest.raises(InputError, match="a file that ends in"):
        loader(tmp_path / "thing.stl")


@pytest.mark.parametrize("name", ["none.ccd", "none.tcd", "none.nii.gz", "none.nii"])
def test_missing_coil_files_are_named(tmp_path, name):
    with pytest.raises(FileFormatError, match=f"{name} does not exist"):
        load.load_coil(tmp_path / name)
