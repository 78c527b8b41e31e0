"""The primary field of a posed coil."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efield.coils.model import Coil, Dipoles, SampledField, Segments
from efield.coils.primary import b_field, dadt, vector_potential
from efield.ground.errors import InputError
from efield.ground.pose import Pose

ROUNDING = 1e-12


@pytest.fixture(scope="module")
def coil():
    """Dipoles and a closed loop together."""
    rng = np.random.default_rng(4)
    angle = 2 * np.pi * np.arange(31) / 30
    loop = np.column_stack([30 * np.cos(angle), 30 * np.sin(angle), -5 + 0 * angle])
    dipoles = Dipoles(rng.uniform(-40, 40, (20, 3)) * (1, 1, 0.1), rng.normal(size=(20, 3)) * 1e-4)
    return Coil(name="mixed", sources=(dipoles, Segments(loop[:-1], loop[1:])))


@pytest.fixture(scope="module")
def points():
    """Points 20 mm to 120 mm below the coil."""
    return np.random.default_rng(5).uniform(-50, 50, (60, 3)) + np.array([0, 0, 70])


def test_millimeters_become_meters_once(origin):
    """The field on the axis of one 40 mm loop carrying 100 A, in tesla."""
    angle = 2 * np.pi * np.arange(1001) / 1000
    loop = 40 * np.column_stack([np.cos(angle), np.sin(angle), 0 * angle])
    b = b_field(Coil.from_segments(loop[:-1], loop[1:]), origin, [[0, 0, 30]], 100.0)
    np.testing.assert_allclose(b, [[0, 0, 4e-5 * np.pi * 0.04**2 / (2 * 0.05**3)]], rtol=4e-5, atol=1e-15)


def test_dadt_of_a_dipole_is_the_textbook_value(origin):
    single = Coil.from_dipoles([[0, 0, 0]], [[0, 0, 2.0]])
    np.testing.assert_allclose(dadt(single, origin, [[50, 0, 0]], 1e6), [[0, 1e-7 * 2e6 / 0.05**2, 0]], rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_moving_coil_and_points_together_only_turns_the_field(data, coil, points, origin, poses):
    pose = data.draw(poses)
    moved = pose.to_head(points)
    far_from_origin = 1e-9  # 0.5 m of shift cost digits in the coordinates
    for field in (dadt, b_field):
        expected = field(coil, origin, points, 1e6) @ pose.rotation.T
        np.testing.assert_allclose(field(coil, pose, moved, 1e6), expected, atol=far_from_origin * abs(expected).max())


@given(rate=st.floats(-3e8, 3e8))
@settings(max_examples=20, deadline=None)
def test_the_field_is_proportional_to_didt_with_its_sign(rate, coil, points, origin):
    expected = rate * dadt(coil, origin, points, 1.0)
    np.testing.assert_allclose(dadt(coil, origin, points, rate), expected, rtol=ROUNDING)


def test_fields_of_several_sources_add(coil, points, origin):
    parts = [Coil(name="part", sources=(source,)) for source in coil.sources]
    for field in (dadt, b_field):
        total = sum(field(part, origin, points, 1.0) for part in parts)
        np.testing.assert_allclose(field(coil, origin, points, 1.0), total, atol=ROUNDING * abs(total).max())


def test_curl_of_the_vector_potential_is_the_magnetic_field_in_a_tilted_pose(coil, points):
    pose = Pose.from_axes((30, -20, 90), y=(0.5, 1.0, 0.2), z=(-0.3, 0.2, -1))
    moved = pose.to_head(points)
    step = 0.3
    slope = [
        (
            8 * (dadt(coil, pose, moved + s, 1.0) - dadt(coil, pose, moved - s, 1.0))
            - dadt(coil, pose, moved + 2 * s, 1.0)
            + dadt(coil, pose, moved - 2 * s, 1.0)
        )
        / (12 * step * 1e-3)
        for s in step * np.eye(3)
    ]
    dx, dy, dz = slope
    curl = np.column_stack([dy[:, 2] - dz[:, 1], dz[:, 0] - dx[:, 2], dx[:, 1] - dy[:, 0]])
    b = b_field(coil, pose, moved, 1.0)
    truncation = 1e-6
    assert abs(curl - b).max() < truncation * abs(b).max()
    assert abs(dx[:, 0] + dy[:, 1] + dz[:, 2]).max() < truncation * abs(b).max()


def test_a_sampled_field_agrees_with_the_dipoles_it_was_sampled_from(origin):
    dipoles = Coil.from_dipoles([[-20, 0, -5], [20, 0, -5]], [[0, 0, -1e-3], [0, 0, 1e-3]])
    spacing = 2.0
    index = np.stack(np.meshgrid(*[np.arange(31)] * 3, indexing="ij"), axis=-1)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = (-30, -30, 20)
    samples = vector_potential(dipoles, index.reshape(-1, 3) * spacing + affine[:3, 3]).reshape(31, 31, 31, 3)
    sampled = Coil(name="sampled", sources=(SampledField(affine, samples),))
    points = np.random.default_rng(6).uniform(-25, 25, (200, 3)) + np.array([0, 0, 50])
    a, b = dadt(dipoles, origin, points, 1.0), b_field(dipoles, origin, points, 1.0)
    interpolation = 5e-3  # h^2/8 second derivatives, 2 mm voxels some 30 mm from the dipoles
    assert abs(dadt(sampled, origin, points, 1.0) - a).max() < interpolation * abs(a).max()
    assert abs(b_field(sampled, origin, points, 1.0) - b).max() < 10 * interpolation * abs(b).max()
    with pytest.raises(InputError, match="outside the coil's sampled field"):
        dadt(sampled, origin, [[0, 0, 50], [60, 0, 10]], 1.0)
    for beside in ([80, 0, 20], [100, 100, 100]):  # of which samples in front of the coil say nothing
        with pytest.raises(InputError, match="outside the coil's sampled field"):
            dadt(sampled, origin, [beside], 1.0)
    beyond = [[0, 0, 200], [20, -30, 150], [-50, 50, 200]]  # where it goes on by a few sources
    largest = np.linalg.norm(samples, axis=-1).max()
    assert abs(dadt(sampled, origin, beyond, 1.0) - dadt(dipoles, origin, beyond, 1.0)).max() < 5e-3 * largest


def test_no_points_give_no_field(coil, origin):
    assert dadt(coil, origin, np.empty((0, 3)), 1.0).shape == (0, 3)


@pytest.mark.parametrize(
    ("points_mm", "rate", "message"),
    [
        ([[0, 0, 50]], np.nan, "didt must be finite"),
        ([[0, 0, 50]], "fast", "didt must be a number"),
        ([[0, np.nan, 50]], 1.0, "points_mm must be finite"),
        ([0, 0, 50], 1.0, r"shape \(n, 3\)"),
    ],
)
def test_bad_arguments_are_refused(coil, origin, points_mm, rate, message):
    with pytest.raises(InputError, match=message):
        dadt(coil, origin, points_mm, rate)


def test_a_point_on_the_wire_is_refused_not_answered_with_inf(coil, origin):
    on_wire = coil.sources[1].starts_mm[:1]
    with pytest.raises(InputError, match="on one of the coil's wires"):
        dadt(coil, origin, np.vstack([[[0, 0, 50.0]], on_wire]), 1.0)
    with pytest.raises(InputError, match="row 0"):
        b_field(coil, origin, on_wire, 1.0)
