"""A packed head comes back as it was, up to the stored step; damaged files are refused."""

import zipfile
from dataclasses import replace

import numpy as np
import pytest

from efield.ground.errors import FileFormatError, InputError
from efield.head.mesh import HeadMesh
from efield.head.packed import QUANTUM_MM, read_packed, write_packed
from efield.head.spheres import sphere_head


@pytest.fixture(scope="module")
def head():
    return sphere_head((40.0, 50.0), (3, 5), edge_mm=9.0)


def barycenter_rows(mesh):
    """Barycenter, volume and tag per tetrahedron, in an order that does not depend on numbering."""
    rows = np.column_stack([mesh.barycenters, mesh.volumes, mesh.tissue])
    return rows[np.lexsort(np.round(rows[:, :3], 1).T)]


def test_a_packed_head_comes_back(tmp_path, head):
    written = write_packed(tmp_path / "head.npz", head)
    back = read_packed(tmp_path / "head.npz")
    for name in ("points", "tets", "tissue"):
        assert np.array_equal(getattr(back, name), getattr(written, name))
    assert (len(back.points), len(back.tets)) == (len(head.points), len(head.tets))


def test_rounding_moves_nodes_by_half_a_step_at_most(tmp_path, head):
    back = write_packed(tmp_path / "head.npz", head)
    gap = np.abs(back.points[:, None, :] - head.points[None, :, :]).max(axis=2).min(axis=1)
    assert gap.max() <= QUANTUM_MM / 2 + 1e-9
    for tag in head.tags:
        # Half a step on the radius of a 40 mm sphere, with room for all nodes moving alike.
        assert back.tissue_volume_mm3(tag) == pytest.approx(head.tissue_volume_mm3(tag), rel=1e-3)


def test_the_way_to_mni_coordinates_is_kept_where_there_is_one(tmp_path, head):
    assert write_packed(tmp_path / "without.npz", head).mni is None
    affine = np.diag([1.1, 1.0, 0.9, 1.0])
    write_packed(tmp_path / "with.npz", replace(head, mni=affine))
    assert np.array_equal(read_packed(tmp_path / "with.npz").mni.matrix, affine)


def test_packing_twice_changes_nothing(tmp_path, head):
    once = write_packed(tmp_path / "once.npz", head)
    twice = write_packed(tmp_path / "twice.npz", once)
    assert np.array_equal(barycenter_rows(once), barycenter_rows(twice))


def test_the_same_head_gives_the_same_bytes(tmp_path, head):
    write_packed(tmp_path / "a.npz", head)
    write_packed(tmp_path / "b.npz", head)
    contents = []
    for name in ("a", "b"):
        with zipfile.ZipFile(tmp_path / f"{name}.npz") as archive:
            contents.append({entry: archive.read(entry) for entry in archive.namelist()})
    assert contents[0] == contents[1]


def test_neighbors_in_space_are_neighbors_in_memory(tmp_path, head):
    back = write_packed(tmp_path / "head.npz", head)
    spread = np.median(np.ptp(back.tets, axis=1))
    shuffled = np.random.default_rng(0).permutation(len(back.points))[back.tets]
    assert spread < 0.25 * np.median(np.ptp(shuffled, axis=1))


def test_a_tag_beyond_a_byte_is_refused(tmp_path, head):
    big = HeadMesh(points=head.points, tets=head.tets, tissue=np.where(head.tissue == 5, 500, 3))
    with pytest.raises(InputError, match="at most 255"):
        write_packed(tmp_path / "head.npz", big)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileFormatError, match=r"nothing is at .*absent\.npz"):
        read_packed(tmp_path / "absent.npz")


def damaged(good, kind):
    if kind == "empty":
        return b""
    if kind == "text":
        return b"not an archive"
    if kind == "truncated":
        return good[: len(good) // 2]
    middle = len(good) // 2
    return good[:middle] + bytes(255 - b for b in good[middle : middle + 64]) + good[middle + 64 :]


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "overwritten"])
def test_damaged_bytes_are_refused(tmp_path, head, kind):
    write_packed(tmp_path / "head.npz", head)
    bad = tmp_path / "bad.npz"
    bad.write_bytes(damaged((tmp_path / "head.npz").read_bytes(), kind))
    with pytest.raises(FileFormatError, match="damaged or something else"):
        read_packed(bad)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", np.array(99)),
        ("counts", np.array([1], dtype=np.uint16)),
        ("counts", np.array([-1, 5])),
        ("tissue", np.zeros(3, dtype=np.uint8)),
        ("odd", np.zeros(1, dtype=np.float64)),
        ("x_0", np.zeros(5, dtype=np.float32)),
        ("corner1_0", None),
        ("tissue", np.array([{"a": 1}], dtype=object)),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(tmp_path, head, name, value):
    write_packed(tmp_path / "head.npz", head)
    with np.load(tmp_path / "head.npz") as archive:
        arrays = {key: archive[key] for key in archive.files}
    if value is None:
        del arrays[name]
    else:
        arrays[name] = value
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(FileFormatError, match=r"bad\.npz must be a packed head"):
        read_packed(tmp_path / "bad.npz")
