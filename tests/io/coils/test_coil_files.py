"""Coil files: the same coil by every way in gives the same field; round trips; files built by hand."""

import base64
import json
import pickle
import zlib

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from efield.coils.beyond import continuation
from efield.coils.model import Coil, Dipoles, SampledField, Segments
from efield.coils.primary import vector_potential
from efield.coils.shapes import figure8
from efield.coils.winding import Winding
from efield.ground.errors import InputError
from efield.io.coils.ccd import read_ccd, write_ccd
from efield.io.coils.grid import read_coil_grid, write_coil_grid
from efield.io.coils.tcd import read_tcd, read_tcd_file, write_tcd
from efield.io.coils.tcd_model import Deformation, DeformRange, Element, TcdCoil, TcdStimulator
from efield.io.load import load_coil

#: A file may hold float32: half a unit in its last place.
FLOAT32 = 6e-8

CCD = """# Hand made version 1.1;dIdtmax=120.5;x=-100,100;stimulator=None;brand=None;coilname=My coil
3
# comment
-0.01 0 -0.001 1e-6 0 2e-6
0.01 0 -1e-3 -1e-6 0 -2e-6

1 0.02 0.00 0 0 1
"""

POINTS = np.random.default_rng(3).uniform((-60, -60, 15), (60, 60, 95), (400, 3))


def relative(a, b):
    return np.linalg.norm(a - b, axis=1).max() / np.linalg.norm(b, axis=1).max()


def ring(n=24, radius=20.0, shift=(0, 0, -5)):
    angle = np.linspace(0, 2 * np.pi, n + 1)
    path = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle]) + shift
    return path[:-1], path[1:]


# --- .ccd


def test_ccd_by_hand_is_in_meters_and_per_ampere(tmp_path):
    (tmp_path / "a.ccd").write_text(CCD)
    coil = read_ccd(tmp_path / "a.ccd")
    assert coil.name == "My coil"
    assert coil.max_didt == 120.5e6
    assert_allclose(coil.sources[0].points_mm, [[-10, 0, -1], [10, 0, -1], [1000, 20, 0]])
    assert_array_equal(coil.sources[0].moments_am2, [[1e-6, 0, 2e-6], [-1e-6, 0, -2e-6], [0, 0, 1]])
    assert not coil.assumptions


def test_a_wrong_dipole_count_is_said_and_the_rows_are_used(tmp_path):
    (tmp_path / "more.ccd").write_text(CCD.replace("\n3\n", "\n2\n"))
    coil = read_ccd(tmp_path / "more.ccd")
    assert len(coil) == 3
    assert "states 2 dipoles and holds 3" in coil.assumptions[0]
    (tmp_path / "fewer.ccd").write_text(CCD.replace("\n3\n", "\n30\n"))
    with pytest.warns(UserWarning, match=r"fewer\.ccd states 30 dipoles and holds 3"):
        assert len(read_ccd(tmp_path / "fewer.ccd")) == 3


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 30), st.integers(0, 999), st.sampled_from([None, 1e6, 123.456e6]), st.text(max_size=12))
def test_any_dipole_coil_survives_ccd(tmp_path, n, seed, max_didt, name):
    rng = np.random.default_rng(seed)
    coil = Coil(name, (Dipoles(rng.normal(scale=40, size=(n, 3)), rng.normal(size=(n, 3)) * 1e-4),), max_didt=max_didt)
    write_ccd(tmp_path / "a.ccd", coil)
    again = read_ccd(tmp_path / "a.ccd")
    assert_allclose(again.sources[0].points_mm, coil.sources[0].points_mm, rtol=1e-15)
    assert_array_equal(again.sources[0].moments_am2, coil.sources[0].moments_am2)
    assert_allclose([again.max_didt or 0], [max_didt or 0], rtol=1e-15)


def test_wires_do_not_fit_into_ccd(tmp_path):
    with pytest.raises(InputError, match=r"\.tcd"):
        write_ccd(tmp_path / "a.ccd", Coil.from_segments(*ring()))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.02 0.00 0 0 1\n", "0.02 0.00 0 0\n", "six numbers"),
        ("0.02 0.00 0 0 1\n", "0.02 0.00 0 0 x\n", "six numbers"),
        ("0.02 0.00 0 0 1\n", "0.02 0.00 0 0 nan\n", "finite"),
        ("1 0.02", "35.5 0.02", "meters"),
        ("\n3\n", "\n", "number of dipoles"),
        ("\n3\n", "\n-3\n", "number of dipoles"),
        ("# Hand", "Hand", "must start with"),
        (CCD, "\ufeff", "must start with"),
        ("120.5", "fast", "dIdtmax"),
        ("120.5", "-1", "dIdtmax"),
        ("120.5", "120500", "dIdtmax must be a number in A/us, up to 1000"),
        ("1 0.02", "n/a 0.02", "at 'n/a 0.02"),
    ],
)
def test_wrong_ccd_content_is_named(tmp_path, old, new, message, refuses):
    (tmp_path / "bad.ccd").write_text(CCD.replace(old, new), encoding="utf-8")
    text = refuses(lambda: read_ccd(tmp_path / "bad.ccd"))
    assert message in text
    assert "bad.ccd" in text


def test_a_row_cut_short_is_refused(tmp_path, refuses):
    (tmp_path / "a.ccd").write_text(CCD[:-4])
    refuses(lambda: read_ccd(tmp_path / "a.ccd"))


def test_a_ccd_as_people_edit_it_is_the_same_coil(tmp_path):
    (tmp_path / "a.ccd").write_text(CCD)
    rows = CCD.splitlines()
    plain = read_ccd(tmp_path / "a.ccd")
    edited = {
        "commas": "\n".join([*rows[:3], *(", ".join(row.split()) for row in rows[3:])]),
        "exponents": CCD.replace("1e-6", "0.1D-05").replace("2e-6", "2d-06"),
        "decimal commas": "\n".join([*rows[:3], *(row.replace(".", ",") for row in rows[3:])]),
        "mark": "\ufeff" + CCD,
        "semicolons": "\n".join([*rows[:3], *(";".join(row.split()) for row in rows[3:])]),
    }
    for text in edited.values():
        (tmp_path / "b.ccd").write_text(text, encoding="utf-8")
        coil = read_ccd(tmp_path / "b.ccd")
        assert_allclose(coil.sources[0].points_mm, plain.sources[0].points_mm, rtol=1e-15)
        assert_allclose(coil.sources[0].moments_am2, plain.sources[0].moments_am2, rtol=1e-15)
        assert (coil.name, coil.max_didt) == ("My coil", 120.5e6)
    (tmp_path / "b.ccd").write_text(CCD, encoding="utf-16")
    with pytest.raises(InputError, match="UTF-16"):
        read_ccd(tmp_path / "b.ccd")


@pytest.mark.parametrize(
    ("text", "value"),
    [("n/a", None), ("N/A", None), ("NaN", None), ("", None), ("1.205E2", 120.5e6), ("120.5e6", 120.5e6)],
)
def test_a_largest_didt_is_read_in_either_unit_or_left_open(tmp_path, text, value):
    (tmp_path / "a.ccd").write_text(CCD.replace("120.5", text))
    coil = read_ccd(tmp_path / "a.ccd")
    assert coil.max_didt == (None if value is None else pytest.approx(value, rel=1e-15))
    assert any("A/s" in note for note in coil.assumptions) == (text == "120.5e6")


@pytest.mark.parametrize("title", ["# version 1.1;", "#", "#;dIdtmax=3", "# number of elements"])
def test_a_header_without_a_title_takes_the_name_of_the_file(tmp_path, title):
    (tmp_path / "nameless.ccd").write_text("\n".join([title, *CCD.splitlines()[1:]]))
    assert read_ccd(tmp_path / "nameless.ccd").name == "nameless"


def test_one_half_of_a_twin_is_said(tmp_path):
    one, far = np.random.default_rng(0).uniform(-30, 30, (25, 3)), np.array([60.0, 0, 0])
    up = np.tile([0, 0, 1e-5], (25, 1))
    for points, moments, name, says in (
        (one + far, up, "some coil", "right of the origin: the file holds one half"),
        (one - far, up, "some coil", "left of the origin: the file holds one half"),
        (one, up, "MST_Twin", "point one way: the file holds one half"),
        (one, up, "round", ""),
        (np.vstack([one + far, one - far]), np.vstack([up, -up]), "MST_Twin", ""),
    ):
        write_ccd(tmp_path / "a.ccd", Coil.from_dipoles(points, moments, name=name))
        notes = read_ccd(tmp_path / "a.ccd").assumptions
        assert says in notes[0] if says else not notes


# --- sampled grids


def test_the_same_coil_as_dipoles_and_as_grid_agrees_at_the_samples(foreign):
    grid, dipoles = read_coil_grid(foreign("testcoil.nii.gz")), read_ccd(foreign("testcoil.ccd"))
    axis = np.arange(-100.0, 101.0, 10.0)
    nodes = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    assert relative(vector_potential(grid, nodes), vector_potential(dipoles, nodes)) < FLOAT32


def test_the_same_coil_as_dipoles_and_as_grid_agrees_within_the_interpolation_error(foreign):
    """Trilinear interpolation of samples h apart misses at most h^2/8 times the sum of |second derivatives|."""
    grid, dipoles = read_coil_grid(foreign("testcoil.nii.gz")), read_ccd(foreign("testcoil.ccd"))
    rng = np.random.default_rng(0)
    points = rng.uniform((-95, -95, 30), (95, 95, 95), (600, 3))
    exact, h, step = vector_potential(dipoles, points), 10.0, 1.0
    cells = np.floor(points / h) * h
    bound = np.zeros(exact.shape)
    corners = [np.array((i, j, k)) for i in (0, 0.5, 1) for j in (0, 0.5, 1) for k in (0, 0.5, 1)]
    for axis in np.eye(3):
        bends = [
            vector_potential(dipoles, at + step * axis)
            + vector_potential(dipoles, at - step * axis)
            - 2 * vector_potential(dipoles, at)
            for at in (cells + h * c for c in corners)
        ]
        bound += h**2 / 8 * np.abs(bends).max(axis=0) / step**2
    error = np.abs(vector_potential(grid, points) - exact)
    sampled_bound = 1.05  # the largest second derivative is sought at 27 places of each cell only
    assert (error <= sampled_bound * bound + FLOAT32 * np.abs(exact).max()).all()
    # Nearest dipoles 30 mm away, samples 10 mm apart: 1.7 % of the field's root mean square.
    assert np.sqrt((error**2).sum() / (exact**2).sum()) < 0.03


def test_the_interpolation_error_falls_with_the_square_of_the_spacing(tmp_path):
    coil = Coil.from_segments(*ring())
    errors = []
    for spacing in (8.0, 4.0, 2.0):
        write_coil_grid(tmp_path / "a.nii.gz", coil, bounds=[(-64, -64, 8), (64, 64, 96)], spacing_mm=spacing)
        again = read_coil_grid(tmp_path / "a.nii.gz")
        errors.append(relative(vector_potential(again, POINTS), vector_potential(coil, POINTS)))
    assert_allclose(np.log2(np.array(errors[:-1]) / errors[1:]), 2, atol=0.3)


def saved(tmp_path, values, affine=None, name="a.nii.gz"):
    affine = np.diag([5.0, 5.0, 5.0, 1.0]) if affine is None else affine
    nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / name)
    return tmp_path / name


def test_a_grid_with_another_orientation_is_the_same_field(tmp_path):
    values = np.random.default_rng(0).normal(size=(4, 5, 6, 3)).astype(np.float32) * 1e-6
    affine = np.diag([5.0, 5.0, 5.0, 1.0])
    flipped = affine @ np.array([[0, 0, -1, 3], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])
    a = read_coil_grid(saved(tmp_path, values))
    b = read_coil_grid(saved(tmp_path, values[::-1].transpose(1, 2, 0, 3), flipped, "b.nii"))
    points = np.random.default_rng(1).uniform(0, (15, 20, 25), (50, 3))
    assert relative(vector_potential(b, points), vector_potential(a, points)) < 1e-6


def test_several_stimulators_must_be_chosen(tmp_path):
    values = np.random.default_rng(0).normal(size=(4, 5, 6, 2, 3)).astype(np.float32) * 1e-6
    path = saved(tmp_path, values)
    with pytest.raises(InputError, match="from 0 to 1"):
        read_coil_grid(path)
    with pytest.raises(InputError, match="from 0 to 1"):
        read_coil_grid(path, stimulator=2)
    assert_array_equal(read_coil_grid(path, stimulator=1).sources[0].a_tm, values[..., 1, :])
    turned = saved(tmp_path, values.swapaxes(3, 4), name="turned.nii.gz")
    assert_array_equal(read_coil_grid(turned, stimulator=1).sources[0].a_tm, values[..., 1, :])


def test_of_three_stimulators_the_axes_are_told_by_the_divergence(tmp_path):
    axis = np.arange(-40.0, 41.0, 8.0)
    nodes = np.stack(np.meshgrid(axis, axis, axis + 60, indexing="ij"), axis=-1)
    rings = [Coil.from_segments(*ring(shift=shift)) for shift in ((0, 0, -5), (30, 0, -5), (0, 30, -20))]
    values = np.stack([vector_potential(one, nodes.reshape(-1, 3)).reshape(nodes.shape) for one in rings], axis=3)
    # A turned grid: voxel axes are not those of the coil.
    turn = np.array([[0, 8.0, 0, -40], [-8.0, 0, 0, 40], [0, 0, 8.0, 20], [0, 0, 0, 1]])
    values = values.astype(np.float32)
    for affine, grid in ((np.diag([8.0, 8, 8, 1]), values), (turn, values.swapaxes(0, 1)[::-1])):
        for number in range(3):
            read = read_coil_grid(saved(tmp_path, grid, affine), stimulator=number)
            assert_array_equal(read.sources[0].a_tm, grid[..., number, :])
        with pytest.raises(InputError, match="swap the last two axes"):
            read_coil_grid(saved(tmp_path, grid.swapaxes(3, 4), affine), stimulator=0)


def test_beyond_its_grid_a_field_goes_on_and_near_the_coil_it_is_refused(tmp_path):
    coil = figure8(Winding(56, 87, 9, 1.75, 6), 3.0).coil("flat")
    write_coil_grid(tmp_path / "a.nii.gz", coil, bounds=[(-120, -120, 0), (120, 120, 160)], spacing_mm=8.0)
    grid = load_coil(tmp_path / "a.nii.gz")
    beyond = np.random.default_rng(0).uniform((-120, -120, 161), (120, 120, 260), (200, 3))
    largest = np.linalg.norm(vector_potential(coil, [[0, 0, 10.0]]))
    assert np.abs(vector_potential(grid, beyond) - vector_potential(coil, beyond)).max() < 1e-4 * largest
    assert "samples left out are off by" in grid.assumptions[0]
    with pytest.raises(InputError, match="is continued 120 mm and more from the origin"):
        vector_potential(grid, [[0.0, 0.0, -10.0]])
    short = SampledField(grid.sources[0].affine, grid.sources[0].a_tm[:, :, :10])
    with pytest.raises(InputError, match="cannot be continued"):
        vector_potential(Coil("short", (short,)), beyond)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((4, 4, 4, 3), np.float32), "not all zero"),
        (np.full((4, 4, 4, 3), np.nan, np.float32), "finite"),
        (np.full((4, 4, 4, 3), 120.0, np.float32), "is it a coil file"),
        (np.full((4, 4, 4), 1e-6, np.float32), "(nx, ny, nz, 3)"),
        (np.full((4, 4, 4, 2), 1e-6, np.float32), "(nx, ny, nz, 3)"),
        (np.full((4, 1, 4, 3), 1e-6, np.float32), "at least 2 samples"),
    ],
)
def test_what_is_no_coil_field_is_named(tmp_path, values, message, refuses):
    path = saved(tmp_path, values, name="bad.nii.gz")
    text = refuses(lambda: read_coil_grid(path))
    assert message in text
    assert "bad.nii.gz" in text


# --- .tcd


def deformable() -> TcdCoil:
    starts, ends = ring()
    rng = np.random.default_rng(5)
    return TcdCoil(
        name="two parts",
        brand="none",
        elements=(
            Element("wing", Dipoles(rng.normal(size=(7, 3)) * 20, rng.normal(size=(7, 3))), 0, None, (0, 1)),
            Element("ring", Segments(starts, ends), 1, None, (2,)),
            Element("field", SampledField(np.eye(4), rng.normal(size=(3, 4, 5, 3))), 1, None, (2, 0)),
        ),
        stimulators=(TcdStimulator("A", "maker", 1e8), TcdStimulator("B")),
        deformations=(
            Deformation(0, "rot2p", np.array([10.0, 0, 0]), np.array([10.0, 0, 2.0])),
            Deformation(1, "y"),
            Deformation(1, "x"),
        ),
        ranges=(DeformRange(0, -90, 90), DeformRange(1.5, 0, 20)),
        limits=np.array([[-100.0, 100], [-90, 90], [-80, 80]]),
        resolution=np.array([2.0, 2, 2]),
    )


def same_sources(a, b):
    for x, y in zip(a, b, strict=True):
        assert type(x) is type(y)
        for name in (name for name, value in vars(x).items() if value is not None):
            assert_allclose(getattr(x, name), getattr(y, name), rtol=1e-14, atol=1e-13)


def test_a_deformable_coil_survives_tcd(tmp_path):
    original = deformable()
    write_tcd(tmp_path / "a.tcd", original)
    again = read_tcd_file(tmp_path / "a.tcd")
    same_sources([e.source for e in again.elements], [e.source for e in original.elements])
    assert again.settings == original.settings
    assert again.stimulators == original.stimulators
    assert [e.deformations for e in again.elements] == [e.deformations for e in original.elements]
    assert_array_equal(again.limits, original.limits)


def test_settings_move_the_parts_in_list_order():
    file = deformable()
    coil = file.coil({"rot2p-0": 90, "y-1": 3}, stimulator="A")
    x, y, z = file.elements[0].source.points_mm.T
    # A quarter turn about the vertical through (10, 0, 0), right-handed, and then 3 mm along y.
    assert_allclose(coil.sources[0].points_mm, np.column_stack([10 - y, x - 10 + 3, z]), atol=1e-12)
    mx, my, mz = file.elements[0].source.moments_am2.T
    assert_allclose(coil.sources[0].moments_am2, np.column_stack([-my, mx, mz]), atol=1e-12)
    assert coil.max_didt == 1e8


def test_a_moved_grid_carries_its_field_along():
    file = deformable()
    still, turned = file.coil({"y-1": 0}, stimulator="B"), file.coil({"rot2p-0": 30, "y-1": 0}, stimulator="B")
    still, turned = (Coil("g", (coil.sources[1],)) for coil in (still, turned))
    points = np.random.default_rng(0).uniform(0, (2, 3, 4), (40, 3))
    motion = file.deformations[0].matrix(30)
    there = points @ motion[:3, :3].T + motion[:3, 3]
    inside = np.nextafter(there, there)  # rounding must not leave the grid
    assert_allclose(
        vector_potential(turned, inside), vector_potential(still, points) @ motion[:3, :3].T, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize(
    ("settings_", "stimulator", "message"),
    [
        ({}, None, "stimulator must be chosen.*0 \\(A\\), 1 \\(B\\)"),
        ({}, "C", "one of A, B"),
        ({}, 7, "one of 0, 1"),
        ({"rot2p-1": 0}, "A", "did you mean"),
        ({"rot2p-0": 91}, "A", "between -90 and 90"),
        ({"rot2p-0": np.nan}, "A", "finite"),
    ],
)
def test_wrong_settings_are_answered(settings_, stimulator, message):
    with pytest.raises(InputError, match=message):
        deformable().coil(settings_, stimulator=stimulator)


def test_a_catalog_like_coil_of_wires_keeps_its_field_in_tcd(tmp_path):
    starts, ends = ring()
    coil = Coil("c", (Segments(starts, ends, np.full(24, -3.0)),), max_didt=5e7)
    write_tcd(tmp_path / "a.tcd", coil)
    again = read_tcd(tmp_path / "a.tcd")
    assert relative(vector_potential(again, POINTS), vector_potential(coil, POINTS)) < 1e-13
    assert again.max_didt == 5e7


def test_segments_without_a_length_are_left_out_and_said(tmp_path):
    starts, ends = ring()
    plain, doubled = Coil.from_segments(starts, ends), tmp_path / "a.tcd"
    write_tcd(doubled, plain)
    file = json.loads(doubled.read_text())
    element = file["coilElementList"][0]
    element["points"], element["values"] = ((starts + ends) / 2).tolist(), (ends - starts).tolist()
    element["points"].insert(3, starts[3].tolist()), element["values"].insert(3, [0.0, 0.0, 0.0])
    doubled.write_text(json.dumps(file))
    coil = read_tcd(doubled)
    assert coil.assumptions == ("1 wire segment of the file without a length left out",)
    assert relative(vector_potential(coil, POINTS), vector_potential(plain, POINTS)) < 1e-14
    element["values"] = [[0.0, 0.0, 0.0]] * len(element["values"])
    doubled.write_text(json.dumps(file))
    with pytest.raises(InputError, match="none has one"):
        read_tcd(doubled)


def test_foreign_wires_have_the_potential_of_an_independent_sum(foreign):
    for name in ("Brainsway_H7.tcd", "two_stimulator_example_coil.tcd:stimulator=0"):
        coil = load_coil(f"{foreign(name.split(':')[0])}{name[len(name.split(':')[0]) :]}")
        points = np.random.default_rng(3).uniform((-40, -40, 25), (40, 40, 60), (10, 3))
        assert relative(vector_potential(coil, points), wire_potential(coil, points)) < 1e-13


def wire_potential(coil, points):
    """The closed form of straight wires, by distances to their ends (in long double)."""
    total = np.zeros(points.shape, np.longdouble)
    for source in coil.sources:
        starts, ends = (np.asarray(p, np.longdouble) * 1e-3 for p in (source.starts_mm, source.ends_mm))
        length = np.sqrt(((ends - starts) ** 2).sum(axis=1))
        for row, point in enumerate(np.asarray(points, np.longdouble) * 1e-3):
            to_ends = sum(np.sqrt(((point - p) ** 2).sum(axis=1)) for p in (starts, ends))
            share = np.log((to_ends + length) / (to_ends - length)) / length * source.turns
            total[row] += 1e-7 * (share[:, None] * (ends - starts)).sum(axis=0)
    return total.astype(np.float64)


def test_fractions_of_a_turn_do_not_fit_into_tcd(tmp_path):
    with pytest.raises(InputError, match="fraction of a turn"):
        write_tcd(tmp_path / "a.tcd", Coil.from_segments(*ring(), turns=0.5))
    assert not list(tmp_path.iterdir())


def document(**changes):
    element = {
        "type": 1,
        "points": [[0, 0, -5], [10, 0, -5.5]],
        "values": [[0, 0, 1e-4], [0, 0, -1e-4]],
        "stimulator": 0,
        "deformations": [0],
    }
    base = {
        "name": "hand made",
        "coilElementList": [element],
        "stimulatorList": [{"name": "S", "maxdIdt": 1e8}],
        "deformList": [{"deformRange": 0, "type": "z"}],
        "deformRangeList": [{"initial": 2, "range": [0, 5]}],
    }
    for key, value in changes.items():
        (element if key in ("points", "values", "type", "deformations", "data", "affine", "stimulator") else base)[
            key
        ] = value
    return base


def pack(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


@pytest.fixture
def read(tmp_path):
    def of(content):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        (tmp_path / "bad.tcd").write_bytes(data)
        return lambda: read_tcd(tmp_path / "bad.tcd")

    return of


def test_tcd_by_hand(read):
    coil = read(document())()
    assert_array_equal(coil.sources[0].points_mm, [[0, 0, -3], [10, 0, -3.5]])
    assert coil.max_didt == 1e8
    packed = pack(np.array([[0, 0, -5], [10, 0, -5.5]]).tobytes())
    assert_array_equal(read(document(points=packed))().sources[0].points_mm, coil.sources[0].points_mm)


def test_line_segments_are_given_by_center_and_vector(read):
    coil = read(document(type=2, points=[[1, 2, 3]], values=[[4, 0, 0]], deformations=[]))()
    assert_array_equal(coil.sources[0].starts_mm, [[-1, 2, 3]])
    assert_array_equal(coil.sources[0].ends_mm, [[3, 2, 3]])


class Boom:
    """Unpickling this would fail the test run."""

    def __reduce__(self):
        return (pytest.exit, ("a pickle was opened",))


def test_pickles_are_refused_and_never_opened(read, refuses):
    array = np.zeros((3, 3, 3, 3))
    for payload in (pickle.dumps(array), array.dumps(), pickle.dumps(Boom()), pickle.dumps(array, protocol=0)):
        grid = document(type=3, data=pack(payload), affine=np.eye(4).tolist())
        assert "pickle" in refuses(read(grid))
        refuses(read(document(points=pack(payload))))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": [[0, 0]]}, "coilElementList[0].points must be n x 3"),
        ({"points": [[0, 0, "a"]]}, "coilElementList[0].points"),
        ({"points": [[0, 0, 1], [1]]}, "nested lists"),
        ({"points": [[0, 0, 1]]}, "same length"),
        ({"points": [[0, 0, float("nan")], [0, 0, 1]]}, "finite"),
        ({"points": [[0, 0, 10**400], [0, 0, 1]]}, "coilElementList[0].points"),
        ({"points": None}, "must have 'points'"),
        ({"points": "%%%"}, "base64"),
        ({"points": base64.b64encode(b"junk").decode()}, "zlib"),
        ({"points": pack(bytes(25))}, "rows of 3 numbers"),
        ({"points": pack(bytes(100 << 20))}, "far more than the file's size"),
        ({"type": 4}, "1 (dipoles)"),
        ({"type": True}, "whole number"),
        ({"stimulator": 1}, "one of 1 entries"),
        ({"stimulator": -1}, "one of 1 entries"),
        ({"deformations": [5]}, "one of 1 entries"),
        ({"coilCasing": 0}, "one of 0 entries"),
        ({"coilElementList": []}, "at least one element"),
        ({"coilElementList": {}}, "a list"),
        ({"coilElementList": [3]}, "an object"),
        ({"deformList": [{"deformRange": 0, "type": "w"}]}, "x, y, z, rot2p"),
        ({"deformList": [{"deformRange": 9, "type": "x"}]}, "deformRange"),
        ({"deformList": [{"deformRange": 0, "type": "rot2p", "point1": [0, 0, 0], "point2": [0, 0, 0]}]}, "different"),
        ({"deformRangeList": [{"initial": 9, "range": [0, 5]}]}, "low <= initial <= high"),
        ({"coilModels": [{"points": [[0, 0, 0]], "faces": [[0, 1, 2]]}]}, "faces must refer"),
        ({"stimulatorList": [{"name": "S", "maxdIdt": "fast"}]}, "finite number"),
        ({"stimulatorList": [{"name": "S", "maxdIdt": -1}]}, ">= 0"),
    ],
)  # fmt: skip
def test_wrong_tcd_content_is_named(read, refuses, changes, message):
    text = refuses(read(document(**changes)))
    assert message in text
    assert "bad.tcd" in text


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"[" * 100000, b'{"name": ' * 2000, b"\xff\xfe", b"1" * 5000])
def test_what_is_no_json_object_is_refused(read, refuses, content):
    refuses(read(content))


def test_many_small_bombs_are_refused_together(read, refuses):
    bomb = pack(bytes(24 << 20))
    elements = [{"type": 1, "points": bomb, "values": bomb} for _ in range(8)]
    assert "far more" in refuses(read({"coilElementList": elements}))


def test_the_deformable_twin_coil_is_read_and_moves(foreign, tmp_path):
    file = read_tcd_file(foreign("MagVenture_MST-Twin.tcd"))
    coil = file.coil()
    assert coil.max_didt == 200.08e6
    assert len(file.settings) == 6
    # Two wings, mirrored left to right; the file holds each as its own model, which differ by 2 mm.
    left, right = (s.points_mm.mean(axis=0) for s in coil.sources)
    assert_allclose(left * (-1, 1, 1), right, atol=2.5)
    wider = file.coil({"rot2p-0": 13, "rot2p-3": -13})
    assert np.abs(wider.sources[0].points_mm - coil.sources[0].points_mm).max() > 1
    write_tcd(tmp_path / "a.tcd", file)
    same_sources(read_tcd(tmp_path / "a.tcd").sources, coil.sources)


def test_foreign_dipole_coils_drive_dadt_along_y(foreign):
    """For +dI/dt their A points to +y under the center, so E = -dA/dt to -y: used as it stands in the file."""
    for coil in (read_ccd(foreign("MagVenture_MC_B70.ccd")), read_tcd(foreign("MagVenture_MST-Twin.tcd"))):
        x, y, z = vector_potential(coil, [(0, 0, 20)])[0]
        assert y > 5 * max(abs(x), abs(z))


# --- damage


@pytest.mark.parametrize("name", ["a.ccd", "a.tcd", "a.nii", "a.nii.gz"])
@pytest.mark.filterwarnings("ignore:.*dipoles and holds:UserWarning")
def test_damaged_coil_files_only_ever_give_our_errors(tmp_path, name, damaged, survives):
    values = np.random.default_rng(0).normal(size=(3, 4, 5, 3)).astype(np.float32) * 1e-6
    if name.endswith(".ccd"):
        (tmp_path / name).write_text(CCD)
    elif name.endswith(".tcd"):
        write_tcd(tmp_path / name, deformable())
    else:
        saved(tmp_path, values, name=name)
    read = {".ccd": read_ccd, ".tcd": lambda p: read_tcd_file(p).coil(stimulator=1)}.get(name[1:], read_coil_grid)
    good = (tmp_path / name).read_bytes()
    results = []
    for data in damaged(good, 200):
        (tmp_path / f"bad{name}").write_bytes(data)
        results.append(survives(lambda: read(tmp_path / f"bad{name}")))
    assert not all(results)


def test_a_grid_ends_at_its_edge_or_goes_on_as_the_coil_that_it_was_sampled_from(foreign):
    grid, coil = read_coil_grid(foreign("testcoil.nii.gz")), read_ccd(foreign("testcoil.ccd"))
    (field,) = grid.sources
    beyond = np.array([(4.0, 5.0, 105.5), (-130.0, 20.0, 60.0), (30.0, 140.0, 150.0)])
    found = continuation(field)
    peak = np.linalg.norm(field.a_tm[:, :, 11:], axis=-1).max()
    missed = vector_potential(grid, beyond) - vector_potential(coil, beyond)
    assert np.linalg.norm(missed, axis=1).max() < found.error * peak
    cut = Coil("cut", sources=(SampledField(field.affine, field.a_tm[:, :, :15]),))
    with pytest.raises(InputError, match=r"z -100\.0 to 40\.0, and cannot be continued; needed are.*z 60\.0 to 150"):
        vector_potential(cut, beyond)
