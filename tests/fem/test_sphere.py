"""The closed form: numbers of the literature's formula, and the identities it must satisfy."""

import numpy as np
import pytest

from efield.fem.sphere import electric_field
from efield.ground.errors import InputError

from .conftest import figure_eight

# Relative: the values are given to 13 digits.
ROUNDING = 1e-10


@pytest.mark.parametrize(
    ("dipole", "moment", "point", "field"),
    [
        ((0, 0, 100), (0, 0, 1), (30, 20, 70), (1.938188330506e-05, -2.907282495758e-05, 0)),
        ((0, 0, 100), (1, 0, 0), (30, 20, 70), (-1.433507212261e-05, 2.096570056743e-06, 5.544582322049e-06)),
        ((0, 0, 100), (1, 0, 0), (0, 0, 80), (0, -1.0e-04, 0)),
        (
            (40, 30, 90),
            (0.2, -0.5, 1),
            (10, 50, 50),
            (1.373079895396e-05, 1.027521508332e-05, -1.302137487411e-05),
        ),
    ],
)
def test_single_dipole_gives_the_tabulated_field(dipole, moment, point, field):
    found = electric_field([point], [dipole], [moment], 1.0)[0]
    np.testing.assert_allclose(found, field, atol=ROUNDING * np.abs(field).max())


def test_figure_eight_model_decays_with_depth_as_computed():
    depth = np.array([15, 20, 25, 30, 35.0])
    points = np.column_stack([0 * depth, 0 * depth, 85 - depth])
    found = np.linalg.norm(figure_eight().truth(points), axis=1)
    np.testing.assert_allclose(found, [1.342, 1.047, 0.820, 0.642, 0.502], atol=6e-4)


@pytest.fixture(scope="module")
def sources():
    rng = np.random.default_rng(1)
    place = rng.normal(size=(5, 3))
    return 110 * place / np.linalg.norm(place, axis=1)[:, None], rng.normal(size=(5, 3))


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(2).uniform(-45, 45, size=(40, 3))


def test_field_has_no_radial_component(sources, points):
    field = electric_field(points, *sources, 1e6)
    radial = np.einsum("ij,ij->i", field, points) / np.linalg.norm(points, axis=1)
    assert np.abs(radial).max() < 1e-12 * np.abs(field).max()


def test_field_has_no_divergence_and_its_curl_is_minus_the_magnetic_field(sources, points):
    step = 0.01
    jacobian = np.stack(
        [
            (electric_field(points + d, *sources, 1.0) - electric_field(points - d, *sources, 1.0)) / (2e-3 * step)
            for d in step * np.eye(3)
        ],
        axis=1,
    )
    curl = np.column_stack([jacobian[:, a, b] - jacobian[:, b, a] for a, b in ((1, 2), (2, 0), (0, 1))])
    gap = (points[:, None] - sources[0]) / 1e3
    r = np.linalg.norm(gap, axis=2)[:, :, None]
    along = np.einsum("ijk,jk->ij", gap, sources[1])[:, :, None]
    magnetic = 1e-7 * (3 * gap * along / r**5 - sources[1] / r**3).sum(axis=1)
    # Central differences of 0.01 mm over 50 mm: 1e-7 of truncation and rounding.
    scale = np.abs(magnetic).max()
    assert np.abs(curl + magnetic).max() < 1e-6 * scale
    assert np.abs(np.trace(jacobian, axis1=1, axis2=2)).max() < 1e-6 * scale


def test_field_is_linear_in_didt_and_adds_over_dipoles(sources, points):
    whole = electric_field(points, *sources, 3.0)
    parts = sum(electric_field(points, sources[0][i : i + 1], sources[1][i : i + 1], 1.0) for i in range(5))
    np.testing.assert_allclose(whole, 3 * parts, rtol=1e-12, atol=1e-12 * np.abs(whole).max())


def test_field_turns_with_the_coil_and_the_point(sources, points):
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    turned = electric_field(points @ turn.T, sources[0] @ turn.T, sources[1] @ turn.T, 1.0)
    still = electric_field(points, *sources, 1.0)
    np.testing.assert_allclose(turned, still @ turn.T, atol=1e-12 * np.abs(still).max())


def test_center_has_no_field_and_no_points_give_no_rows(sources):
    assert not electric_field([[0, 0, 0]], *sources, 1.0).any()
    assert electric_field(np.zeros((0, 3)), *sources, 1.0).shape == (0, 3)


@pytest.mark.parametrize(
    ("points", "dipoles", "moments", "message"),
    [
        ([[0, 0, 95]], [[0, 0, 90]], [[0, 0, 1]], "outside the radius"),
        ([[0, 0, 50]], [[0, 0, 90], [0, 0, 91]], [[0, 0, 1]], "one row per dipole"),
        ([[0, 0, 50]], np.zeros((0, 3)), np.zeros((0, 3)), "at least 1"),
        ([[0, 0, np.nan]], [[0, 0, 90]], [[0, 0, 1]], "finite"),
        ([0, 0, 50], [[0, 0, 90]], [[0, 0, 1]], "shape"),
    ],
)
def test_unusable_arguments_are_named(points, dipoles, moments, message):
    with pytest.raises(InputError, match=message):
        electric_field(points, dipoles, moments, 1.0)
