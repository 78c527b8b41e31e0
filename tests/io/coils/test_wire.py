"""Coils from drawings: a wire path gives the field of its loop, and everything wrong is said at once."""

import meshio
import numpy as np
import pytest

from efield.coils import catalog
from efield.coils.equivalent import net_moment, potential_error
from efield.coils.model import Coil
from efield.io.coils.wire import read_windings, read_wire
from efield.io.load import load_coil

D70 = """
name = "my figure-8"
type = "figure8"
turns = 9
inner_diameter_mm = 56
outer_diameter_mm = 87
wire_width_mm = 1.75
wire_height_mm = 6
casing_mm = {casing}
max_didt = 100e6
"""


def circle(radius=30.0, n=60, z=-5.0):
    angle = np.linspace(0, 2 * np.pi, n + 1)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.full(n + 1, z)])


def rows(points, *more):
    return "".join(", ".join(f"{x:.9g}" for x in (*p, *more)) + "\n" for p in points)


def write(path, text):
    path.write_text(text, "utf-8")
    return path


def test_a_path_is_the_loop_it_draws(tmp_path):
    coil = read_wire(write(tmp_path / "loop.csv", "x,y,z,turns\n" + rows(circle(), 7)))
    points = circle()
    assert potential_error(coil, Coil.from_segments(points[:-1], points[1:], 7)) < 1e-7
    assert net_moment(coil)[2] == pytest.approx(7 * np.pi * 0.03**2, rel=2e-3)
    assert coil.name == "loop"
    assert len(coil.windings) == 1


def test_a_blank_line_starts_a_new_path_and_turns_may_run_backward(tmp_path):
    left, right = (circle() + np.array([shift, 0, 0]) for shift in (-32, 32))
    text = "# two wings\n" + rows(right, 3) + "\n\n" + rows(left, -3)
    coil = load_coil(write(tmp_path / "eight.csv", text))
    assert len(coil.windings) == 2
    assert np.abs(net_moment(coil)).max() < 1e-12


@pytest.mark.parametrize("separator", [", ", ";", "\t", "  "])
def test_columns_may_be_separated_in_any_way(tmp_path, separator):
    text = rows(circle()).replace(", ", separator)
    assert len(read_wire(write(tmp_path / "loop.csv", text))) == 60


def test_a_hair_between_the_ends_is_closed_and_said(tmp_path):
    points = circle()
    points[-1] += [0, 0.4, 0]
    coil = read_wire(write(tmp_path / "loop.csv", rows(points)))
    assert np.array_equal(coil.windings[0][0], coil.windings[0][-1])
    assert "closed by a straight piece of 0.4 mm" in coil.assumptions[-1]


def test_an_open_wire_is_refused_with_its_gap(tmp_path, refuses):
    message = refuses(lambda: read_wire(write(tmp_path / "open.csv", rows(circle()[:-1]))))
    assert "ends are 3.14 mm apart" in message
    assert "repeat the first point" in message


def test_all_problems_are_listed_at_once(tmp_path, refuses):
    text = (
        rows(circle()[:40])
        + "\n1, 2\n3, 4, five\n"
        + rows(circle(), 2)
        + "\n"
        + rows(circle()[:5], 1)
        + rows(circle()[5:], 2)
    )
    message = refuses(lambda: read_wire(write(tmp_path / "bad.csv", text)))
    for word in ("bad.csv", "line 42", "line 43", "from line 1 must come back", "one number of turns"):
        assert word in message


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty"),
        ("# nothing\n", "rows of x, y, z"),
        ("0,0,0\n1,0,0\n", "three different points"),
        (rows(circle() / 1000), "in mm"),
        (rows(circle(), 0), "other than 0"),
        ("nan,0,0\n", "line 1"),
    ],
)
def test_what_is_no_wire_is_refused(tmp_path, refuses, text, word):
    assert word in refuses(lambda: read_wire(write(tmp_path / "bad.csv", text)))


def test_binary_is_refused(tmp_path, refuses):
    (tmp_path / "bad.csv").write_bytes(bytes(range(128, 256)))
    assert "UTF-8" in refuses(lambda: read_wire(tmp_path / "bad.csv"))


# --- windings


def test_the_numbers_of_a_catalog_coil_give_the_catalog_coil(tmp_path):
    reference = catalog.load_named("magstim-70mm-figure8")
    coil = load_coil(write(tmp_path / "mine.toml", D70.format(casing=reference.casing_mm)))
    assert potential_error(coil, reference) < 1e-12
    assert coil.name == "my figure-8"
    assert coil.max_didt == 100e6


def test_a_double_cone_is_bent_and_open_unless_told_otherwise(tmp_path):
    text = D70.format(casing=4).replace("figure8", "double-cone")
    cone = read_windings(write(tmp_path / "cone.toml", text))
    assert np.asarray(cone.casing_points_mm)[:, 2].max() > 20
    wide = read_windings(write(tmp_path / "wide.toml", text + "opening_deg = 170\nopen_center = false\n"))
    assert np.asarray(wide.casing_points_mm)[:, 2].max() < 10


def test_a_casing_beside_the_file_is_taken(tmp_path):
    points = np.array([[0.0, 0, 0], [80, 0, 0], [0, 60, 0], [0, 0, -20]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    meshio.write(tmp_path / "shell.stl", meshio.Mesh(points, [("triangle", faces)]), file_format="stl", binary=True)
    coil = read_windings(write(tmp_path / "mine.toml", D70.format(casing=4) + 'casing_file = "shell.stl"\n'))
    assert len(coil.casing) == 4


def test_everything_wrong_with_windings_is_said_at_once(tmp_path, refuses):
    text = """
type = "figure9"
turns = 0
inner_diamter_mm = 56
outer_diameter_mm = -87
wire_width_mm = "thick"
max_didt = 120
open_center = 1
"""
    message = refuses(lambda: read_windings(write(tmp_path / "bad.toml", text)))
    for word in (
        "figure8",
        "turns must be",
        "inner_diameter_mm",
        "outer_diameter_mm",
        "wire_width_mm",
        "120e6",
        "true",
    ):
        assert word in message
    assert "wire_height_mm is missing" in message


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (("turns = 9", "turns = 90"), "must fit between"),
        (("turns = 9", "turns = nine"), "TOML"),
        (("figure8", "circular"), None),
        (('type = "figure8"', 'type = "circular"\nopening_deg = 100'), "leave it out"),
        (("casing_mm", "casing_file = 'nothing.stl'\ncasing_mm"), "nothing.stl"),
        (("max_didt = 100e6", "opening_deg = 20"), "opening_deg"),
    ],
)
def test_windings_that_cannot_be_are_refused(tmp_path, refuses, change, word):
    path = write(tmp_path / "bad.toml", D70.format(casing=4).replace(*change))
    if word is None:
        assert len(read_windings(path)) > 0
    else:
        assert word in refuses(lambda: read_windings(path))


@pytest.mark.parametrize("reader", [read_wire, read_windings])
def test_damage_never_does_more_than_refuse(tmp_path, survives, damaged, reader):
    text = rows(circle(n=8), 2) if reader is read_wire else D70.format(casing=4)
    path = tmp_path / "damaged"
    for changed in damaged(text.encode(), 60):
        path.write_bytes(changed)
        survives(lambda: reader(path))
