"""Point-dipole fields: exact formulas, an independent implementation, identities, thread independence."""

import numba
import numpy as np
import pytest

from efield.kernels.coils import dipoles

MU0_OVER_4PI = 1e-7
ROUNDING = 1e-12


@pytest.fixture(scope="module")
def scene():
    """Points well away from a cloud of random dipoles."""
    rng = np.random.default_rng(1)
    points = rng.uniform(-0.1, 0.1, (203, 3)) + np.array([0, 0, 0.2])
    sources = np.vstack([rng.uniform(-0.05, 0.05, (3, 57)), rng.normal(size=(3, 57))])
    return points, np.ascontiguousarray(sources)


def test_vector_potential_is_the_textbook_sum(scene):
    points, sources = scene
    r = points[:, None] - sources[:3].T
    distance = np.linalg.norm(r, axis=2, keepdims=True)
    expected = MU0_OVER_4PI * (np.cross(sources[3:].T, r) / distance**3).sum(axis=1)
    result = dipoles.vector_potential(points, sources)
    np.testing.assert_allclose(result, expected, atol=ROUNDING * abs(expected).max())


def test_magnetic_field_agrees_with_magpylib(scene):
    magpylib = pytest.importorskip("magpylib")
    points, sources = scene
    coil = magpylib.Collection(*[magpylib.misc.Dipole(position=s[:3], moment=s[3:]) for s in sources.T])
    expected = coil.getB(points)
    result = dipoles.magnetic_field(points, sources)
    np.testing.assert_allclose(result, expected, atol=ROUNDING * abs(expected).max())


def test_field_on_the_axis_of_a_dipole_is_twice_that_beside_it():
    source = np.array([[0.0], [0.0], [0.0], [0.0], [0.0], [1.0]])
    b = dipoles.magnetic_field(np.array([[0.0, 0.0, 0.1], [0.1, 0.0, 0.0]]), source)
    np.testing.assert_allclose(b, [[0, 0, 2e-4], [0, 0, -1e-4]], atol=1e-18)


def test_curl_of_the_vector_potential_is_the_magnetic_field(scene, curl_and_divergence):
    points, sources = scene
    curl, divergence = curl_and_divergence(lambda p: dipoles.vector_potential(p, sources), points)
    b = dipoles.magnetic_field(points, sources)
    truncation = 1e-7  # fourth-order differences over 0.3 mm, 0.1 m from the sources
    assert abs(curl - b).max() < truncation * abs(b).max()
    assert abs(divergence).max() < truncation * abs(b).max()


def test_result_is_bitwise_the_same_for_any_thread_count(scene):
    points, sources = scene
    results = []
    for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        results.append((dipoles.vector_potential(points, sources), dipoles.magnetic_field(points, sources)))
        numba.set_num_threads(before)
    assert np.array_equal(results[0][0], results[1][0])
    assert np.array_equal(results[0][1], results[1][1])


def test_a_dipole_at_the_point_itself_never_gives_a_finite_number():
    sources = np.array([[0.0, 1.0], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    point = np.zeros((1, 3))
    assert not np.isfinite(dipoles.vector_potential(point, sources)).all()
    assert not np.isfinite(dipoles.magnetic_field(point, sources)).all()
