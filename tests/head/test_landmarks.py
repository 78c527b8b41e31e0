"""The 10-10 positions lie on the scalp where the proportional arcs say, on any head in any frame."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.special import ellipeinc

from efield.ground.errors import InputError
from efield.head import landmarks
from efield.head.arcs import half_arcs, nearest_on_surface
from efield.head.landmarks import ALIASES, POSITIONS, Fiducials, electrode, fiducials_of, ten_ten
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head
from efield.head.surface import scalp
from efield.head.template import load_template

RADIUS = 85.0
EDGE = 6.0
#: A flat triangle lies this far under its sphere (mm); a mark moves by about as much along it.
SAG = (1.5 * EDGE) ** 2 / (8 * RADIUS)

#: Means of 17 adults on the head surface, MNI (mm), from a copy of a table of Okamoto et al. 2004, NeuroImage 21:99.
OKAMOTO = {
    "Fp1": (-25.3, 81.8, -0.3), "Fp2": (31.7, 80.2, -0.1), "Fz": (0.0, 52.6, 70.5), "F3": (-43.3, 58.3, 40.2),
    "F4": (47.1, 57.1, 40.1), "F7": (-69.2, 38.1, -6.0), "F8": (71.4, 36.2, -8.0), "Cz": (0.9, -13.5, 98.6),
    "C3": (-61.8, -13.4, 68.9), "C4": (63.3, -15.2, 69.3), "T7": (-83.0, -21.2, -11.0), "T8": (85.0, -26.0, -9.0),
    "Pz": (0.2, -75.3, 86.5), "P3": (-46.4, -87.1, 58.4), "P4": (44.4, -87.1, 59.4), "P7": (-73.3, -72.6, 1.0),
    "P8": (71.4, -75.2, 4.0), "O1": (-31.6, -112.0, 16.8), "O2": (27.7, -112.2, 18.8),
}  # fmt: skip
#: Positions fitted to the head of Colin27 in MNI coordinates (mm): FieldTrip, template/electrode/standard_1005.elc.
COLIN27 = {
    "Cz": (0.4, -9.2, 100.2), "C3": (-65.4, -11.6, 64.4), "C4": (67.1, -10.9, 63.6), "Fz": (0.3, 58.5, 66.5),
    "Pz": (0.3, -81.1, 82.6), "F3": (-50.2, 53.1, 42.2), "T7": (-84.2, -16.0, -9.3), "T8": (85.1, -15.0, -9.5),
}  # fmt: skip
MIDLINE = ["Nz", "Fpz", "AFz", "Fz", "FCz", "Cz", "CPz", "Pz", "POz", "Oz", "Iz"]


@pytest.fixture(scope="module")
def ball():
    return sphere_head((75.0, RADIUS), (4, 5), edge_mm=EDGE)


@pytest.fixture(scope="module")
def mni():
    return load_template("mni152")


def deformed(head, factor):
    return HeadMesh(points=head.points * factor, tets=head.tets, tissue=head.tissue)


def ellipsoid(head, axes):
    return deformed(head, np.array(axes) / RADIUS)


def axis_fiducials(axes):
    x, y, _ = np.diag(axes)
    return Fiducials(nasion_mm=y, inion_mm=-y, left_mm=-x, right_mm=x)


def bumpy(head, rms_mm, seed=0):
    """Random waves 10 mm and longer over the whole surface, that fade toward the center."""
    draw = np.random.default_rng(seed)
    length = np.linalg.norm(head.points, axis=1)
    on_surface = head.points / np.maximum(length, 1e-9)[:, None] * RADIUS
    waves = np.cos(on_surface @ draw.normal(scale=1 / 6, size=(3, 40)) + draw.uniform(0, 2 * np.pi, 40)).sum(axis=1)
    return deformed(head, (1 + rms_mm * waves / np.sqrt(20) / RADIUS * length / RADIUS)[:, None])


def on_circle(start, middle, end, share):
    """Point on the circle through three points, at a share of each of its two arcs (0 to 1 to 2)."""
    normal = np.cross(middle - start, end - start)
    normal /= np.linalg.norm(normal)
    center = (start @ normal) * normal  # the sphere's center is the origin
    first, second = (start, middle) if share <= 1 else (middle, end)
    a, b = first - center, second - center
    angle = np.arccos(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))) * (share - (share > 1))
    axis = np.cross(a, b) / np.linalg.norm(np.cross(a, b))
    return center + Rotation.from_rotvec(angle * axis).apply(a)


def spherical(azimuth_deg, elevation_deg):
    """Azimuth from the nose toward the left ear."""
    a, e = np.radians([azimuth_deg, elevation_deg])
    return RADIUS * np.array([-np.sin(a) * np.cos(e), np.cos(a) * np.cos(e), np.sin(e)])


def test_midline_and_coronal_positions_are_18_degrees_apart_on_a_sphere(ball):
    found = ten_ten(ball)
    for number, name in enumerate(MIDLINE):
        assert np.allclose(found[name], spherical(0, 18 * number), atol=2 * SAG), name
    for number, name in enumerate(["LPA", "T7", "C5", "C3", "C1", "Cz", "C2", "C4", "C6", "T8", "RPA"]):
        assert np.allclose(found[name], spherical(90, 18 * number), atol=2 * SAG), name


def test_circumferences_are_circles_of_18_degree_steps_on_a_sphere(ball):
    found = ten_ten(ball)
    left = ["Fpz", "Fp1", "AF7", "F7", "FT7", "T7", "TP7", "P7", "PO7", "O1", "Oz"]
    right = ["Fpz", "Fp2", "AF8", "F8", "FT8", "T8", "TP8", "P8", "PO8", "O2", "Oz"]
    for number, names in enumerate(zip(left, right, strict=True)):
        for name, sign in zip(names, (1, -1), strict=True):
            assert np.allclose(found[name], spherical(sign * 18 * number, 18), atol=2 * SAG), name
    low = {"F9": 54, "FT9": 72, "TP9": 108, "P9": 126, "PO9": 144, "I1": 162, "F10": -54, "TP10": -108, "I2": -162}
    for name, azimuth in low.items():
        assert np.allclose(found[name], spherical(azimuth, 0), atol=2 * SAG), name


@pytest.mark.parametrize(
    ("row", "azimuth", "elevation"),
    [
        ("AF7 . AF3 . AFz . AF4 . AF8", 36, 36),
        ("F7 F5 F3 F1 Fz F2 F4 F6 F8", 54, 54),
        ("FT7 FC5 FC3 FC1 FCz FC2 FC4 FC6 FT8", 72, 72),
        ("TP7 CP5 CP3 CP1 CPz CP2 CP4 CP6 TP8", 108, 108),
        ("P7 P5 P3 P1 Pz P2 P4 P6 P8", 126, 126),
        ("PO7 . PO3 . POz . PO4 . PO8", 144, 144),
    ],
)
def test_transverse_rows_quarter_the_circle_through_their_three_points(ball, row, azimuth, elevation):
    found = ten_ten(ball)
    ends = spherical(azimuth, 18), spherical(0, elevation), spherical(-azimuth, 18)
    for number, name in enumerate(row.split()):
        if name != ".":
            # The three points fix the plane, and their errors add up.
            assert np.allclose(found[name], on_circle(*ends, number / 4), atol=4 * SAG), name


def test_steps_are_tenths_of_the_arc_length_on_an_ellipsoid(ball):
    axes = 72.0, 95.0, 88.0
    found = ten_ten(ellipsoid(ball, axes), axis_fiducials(axes))
    for names, half_width, height in (
        (MIDLINE[:6], axes[1], axes[2]),
        (["LPA", "T7", "C5", "C3", "C1", "Cz"], axes[0], axes[2]),
    ):
        for step, name in enumerate(names):
            x, y, z = found[name]
            parameter = np.arctan2(z / height, np.hypot(x, y) / half_width)  # of the ellipse, from its equator
            # Length of an ellipse from its equator up: height E(parameter | 1 - (half width / height)^2).
            length, whole = height * ellipeinc([parameter, np.pi / 2], 1 - (half_width / height) ** 2)
            assert length == pytest.approx(step * whole / 5, abs=2 * SAG), name


def test_left_mirrors_right(ball):
    axes = 72.0, 95.0, 88.0
    found = ten_ten(ellipsoid(ball, axes), axis_fiducials(axes))
    pairs = [(f"{stem}{odd}", f"{stem}{odd + 1}") for stem in ("C", "F", "FC", "CP", "P") for odd in (1, 3, 5)]
    pairs += [("T7", "T8"), ("Fp1", "Fp2"), ("O1", "O2"), ("TP9", "TP10"), ("LPA", "RPA"), ("AF3", "AF4")]
    for left, right in pairs:
        assert np.allclose(found[left], found[right] * (-1, 1, 1), atol=4 * SAG), (left, right)


def test_positions_follow_a_head_that_is_turned_and_moved(ball):
    axes = 72.0, 95.0, 88.0
    head, fiducials = ellipsoid(ball, axes), axis_fiducials(axes)
    turn, shift = Rotation.from_euler("xyz", (20, -15, 30), degrees=True).as_matrix(), np.array([10.0, -25.0, 40.0])
    moved = HeadMesh(points=head.points @ turn.T + shift, tets=head.tets, tissue=head.tissue)
    points = (fiducials.nasion_mm, fiducials.inion_mm, fiducials.left_mm, fiducials.right_mm)
    found = ten_ten(moved, Fiducials(*(turn @ p + shift for p in points)))
    for name, position in ten_ten(head, fiducials).items():
        # The search for the vertex starts elsewhere and stops within its tolerance of 0.05 mm.
        assert np.allclose(found[name], turn @ position + shift, atol=0.1), name


@pytest.mark.parametrize("seed", range(3))
def test_a_bumpy_scalp_moves_positions_by_little_more_than_its_bumps(ball, seed):
    rough, smooth = ten_ten(bumpy(ball, 1.0, seed), fiducials_of(ball)), ten_ten(ball)
    miss = [np.linalg.norm(rough[n] / np.linalg.norm(rough[n]) - p / RADIUS) * RADIUS for n, p in smooth.items()]
    assert np.mean(miss) < 1.0
    # The planes of the rows by Fpz and Oz rest on points 25 mm apart: bumps tilt them most.
    assert np.max(miss) < 6.0


def test_an_ear_behind_the_fiducial_hardly_moves_the_row_over_the_head(ball):
    place = np.array([-1.0, -0.25, -0.05]) / np.linalg.norm([-1.0, -0.25, -0.05])
    angle = np.arccos(np.clip(ball.points @ place / np.maximum(np.linalg.norm(ball.points, axis=1), 1e-9), -1, 1))
    outer = np.linalg.norm(ball.points, axis=1) > RADIUS - 0.1
    ear = 15.0 * np.exp(-((np.degrees(angle) / 10) ** 2)) * outer
    found, plain = ten_ten(deformed(ball, (1 + ear / RADIUS)[:, None]), fiducials_of(ball)), ten_ten(ball)
    for name in ("T7", "C5", "C3", "C1", "Cz", "FC3", "F3", "CP3", "T8"):
        assert np.linalg.norm(found[name] - plain[name]) < 1.5, name


def test_the_vertex_halves_both_arcs(mni):
    found, surface = ten_ten(mni), scalp(mni)
    for start, end in (("Nz", "Iz"), ("LPA", "RPA")):
        first, second = half_arcs(surface, found[start], found["Cz"], found[end])
        assert first.length_mm == pytest.approx(second.length_mm, abs=0.1)


def test_positions_on_the_default_head_are_near_the_published_means(mni):
    found = ten_ten(mni)
    miss = {name: np.linalg.norm(found[name] - mean) for name, mean in OKAMOTO.items()}
    # One head against the means of 17 others, whose P and O rows lie higher on the scalp; measured 15.6, 8.8, 7.9.
    assert max(miss.values()) < 20
    assert np.mean(list(miss.values())) < 10
    assert all(miss[name] < 10 for name in ("Cz", "C3", "C4", "T7", "T8"))


def test_positions_on_the_default_head_are_near_those_on_another_mni_head(mni):
    found = ten_ten(mni)
    for name, position in COLIN27.items():
        assert np.linalg.norm(found[name] - position) < 10, name  # two heads; measured up to 7.0


def test_positions_on_the_default_head_lie_on_its_scalp_in_order(mni):
    found, surface = ten_ten(mni), scalp(mni)
    assert set(found) == set(POSITIONS)
    for name, position in found.items():
        assert np.linalg.norm(nearest_on_surface(surface, position) - position) < 1e-9, name  # rounding
    assert (np.diff([found[name][1] for name in MIDLINE[1:-1]]) < 0).all()
    assert (np.diff([found[name][0] for name in ["T7", "C5", "C3", "C1", "Cz", "C2", "C4", "C6", "T8"]]) > 0).all()
    assert (np.diff([found[name][1] for name in ["Fp1", "AF7", "F7", "FT7", "T7", "TP7", "P7", "PO7", "O1"]]) < 0).all()


def test_fiducials_move_with_the_map_from_mni(mni):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("zx", (12, -8), degrees=True).as_matrix()
    matrix[:3, 3] = 3.0, 20.0, -14.0
    points = mni.points @ matrix[:3, :3].T + matrix[:3, 3]
    skin = mni.tissue == 5  # has the same outer surface, and is quicker to check
    moved = HeadMesh(points=points, tets=mni.tets[skin], tissue=mni.tissue[skin], mni=matrix)
    expected = fiducials_of(mni)
    found = fiducials_of(moved)
    assert np.allclose(found.nasion_mm, matrix[:3, :3] @ expected.nasion_mm + matrix[:3, 3], atol=1e-6)
    assert np.allclose(found.left_mm, matrix[:3, :3] @ expected.left_mm + matrix[:3, 3], atol=1e-6)


def test_old_names_mean_the_same_places(ball):
    found = ten_ten(ball)
    for old, new in ALIASES.items():
        assert np.array_equal(found[old], found[new])


def test_default_positions_are_remembered_and_safe_from_the_caller(ball, monkeypatch):
    first = ten_ten(ball)
    first.pop("Cz")
    monkeypatch.setattr(landmarks, "_positions", None)
    again = ten_ten(ball)
    assert "Cz" in again
    with pytest.raises(ValueError, match="read-only"):
        again["Cz"][0] = 1.0


def test_an_electrode_is_found_in_any_case_and_a_misspelled_one_is_answered(ball):
    assert np.array_equal(electrode(ball, "fcz"), ten_ten(ball)["FCz"])
    with pytest.raises(InputError, match=r"did you mean 'Cz'\?"):
        electrode(ball, "Czz")


def test_a_head_without_a_map_or_a_center_needs_fiducials(ball):
    off_center = HeadMesh(points=ball.points + np.array([0, 0, 5.0]), tets=ball.tets, tissue=ball.tissue)
    with pytest.raises(InputError, match="fiducials must be given"):
        ten_ten(off_center)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"left_mm": (RADIUS, 0, 0), "right_mm": (-RADIUS, 0, 0)}, "left and right are mixed up"),
        ({"nasion_mm": (0, -RADIUS, 0), "inion_mm": (0, RADIUS, 0)}, "front and back are mixed up"),
        ({"left_mm": (-1, -RADIUS, 0), "right_mm": (1, RADIUS, 0)}, "upright cross"),
        ({"inion_mm": (0, 0, -RADIUS), "nasion_mm": (0, 1, RADIUS)}, "upright cross"),
        ({"nasion_mm": None}, "nasion_mm must be three numbers in mm; instead it is missing"),
        ({"left_mm": (-RADIUS, 0)}, "left_mm must be three numbers"),
        ({"right_mm": (RADIUS, 0, np.nan)}, "right_mm must be finite"),
        ({"right_mm": "ear"}, "right_mm must be an array of numbers"),
    ],
)
def test_fiducials_that_are_mixed_up_or_missing_are_refused(change, message):
    given = {"nasion_mm": (0, RADIUS, 0), "inion_mm": (0, -RADIUS, 0)}
    given |= {"left_mm": (-RADIUS, 0, 0), "right_mm": (RADIUS, 0, 0)}
    with pytest.raises(InputError, match=message):
        Fiducials(**given | change)


def test_fiducials_are_moved_onto_the_scalp_and_refused_when_far_from_it(ball):
    near = axis_fiducials((RADIUS + 10, RADIUS + 5, RADIUS)).on(ball)
    assert np.allclose(near.left_mm, (-RADIUS, 0, 0), atol=2 * SAG)
    with pytest.raises(InputError, match="left_mm must lie within 15 mm of the scalp; instead it is 20 mm away"):
        ten_ten(ball, axis_fiducials((RADIUS + 20, RADIUS, RADIUS)))
