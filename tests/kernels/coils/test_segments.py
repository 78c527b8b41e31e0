"""Straight-segment fields: quadrature, an independent implementation, identities, behavior near the wire."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efield.kernels.coils import segments

MU0_OVER_4PI = 1e-7
ROUNDING = 1e-12


def rows(starts, ends, turns=1.0):
    starts, ends = np.atleast_2d(starts).astype(float), np.atleast_2d(ends).astype(float)
    length = np.linalg.norm(ends - starts, axis=1)[:, None]
    return np.ascontiguousarray(np.hstack([starts, ends, turns * (ends - starts) / length, length]).T)


def ring(radius, sides):
    angle = 2 * np.pi * np.arange(sides + 1) / sides
    path = radius * np.column_stack([np.cos(angle), np.sin(angle), 0 * angle])
    return rows(path[:-1], path[1:])


@pytest.fixture(scope="module")
def scene():
    """A closed random polygon and points from 3 to 300 mm around it."""
    rng = np.random.default_rng(2)
    corners = rng.uniform(-0.03, 0.03, (41, 3))
    corners[-1] = corners[0]
    points = rng.normal(size=(150, 3))
    points *= (rng.uniform(0.06, 0.3, 150) / np.linalg.norm(points, axis=1))[:, None]
    return points, rows(corners[:-1], corners[1:])


def integral(point, start, end):
    """A of one segment by Gauss quadrature on panels that shrink toward the foot of the perpendicular."""
    foot = np.clip((point - start) @ (end - start) / ((end - start) @ (end - start)), 0, 1)
    fractions = 0.5 ** np.arange(40.0)
    edges = np.unique(np.concatenate([[0, 1, foot], foot - foot * fractions, foot + (1 - foot) * fractions]))
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half = np.diff(edges) / 2
    s = (edges[:-1] + half)[:, None] + half[:, None] * nodes
    distance = np.linalg.norm(point - (start + s[..., None] * (end - start)), axis=-1)
    return MU0_OVER_4PI * (end - start) * (half[:, None] * weights / distance).sum()


@pytest.mark.parametrize("distance", [1e-8, 1e-5, 1e-3, 4.9e-3, 5.1e-3, 1e-2, 1.0, 100.0])
@pytest.mark.parametrize("along", [-0.004, 0.0, 0.0005, 0.001, 0.002])
def test_vector_potential_is_the_integral_over_the_wire_from_touching_to_far(distance, along):
    start, end = np.array([1.0, 2.0, 3.0]) * 1e-3, np.array([1.6, 2.0, 3.8]) * 1e-3
    tangent, across = np.array([0.6, 0, 0.8]), np.array([0.0, 1.0, 0.0])
    point = start + along * tangent + distance * across
    expected = integral(point, start, end)
    result = segments.vector_potential(point[None], rows(start, end))[0]
    cancellation = 1e-9  # of the point's own coordinates against a wire 10 nm away
    assert np.abs(result - expected).max() < (cancellation if distance < 1e-6 else 1e-11) * abs(expected).max()


def test_magnetic_field_agrees_with_magpylib(scene):
    magpylib = pytest.importorskip("magpylib")
    points, sources = scene
    path = np.vstack([sources[:3].T, sources[3:6, -1]])
    expected = magpylib.current.Polyline(current=1.0, vertices=path).getB(points)
    result = segments.magnetic_field(points, sources, np.ones(sources.shape[1]))
    np.testing.assert_allclose(result, expected, atol=1e-11 * abs(expected).max())


@pytest.mark.parametrize("height", [0.0, 0.01, 0.05, 0.5])
def test_a_fine_ring_has_the_closed_form_field_of_a_loop_on_its_axis(height):
    radius, sides = 0.04, 2000
    b = segments.magnetic_field(np.array([[0.0, 0.0, height]]), ring(radius, sides), np.ones(sides))[0]
    expected = 4e-7 * np.pi * radius**2 / (2 * (radius**2 + height**2) ** 1.5)
    polygon = 4 * (np.pi / sides) ** 2
    np.testing.assert_allclose(b, [0, 0, expected], rtol=polygon, atol=1e-12 * expected)


def test_curl_of_the_vector_potential_is_the_magnetic_field_and_its_divergence_vanishes(scene, curl_and_divergence):
    points, sources = scene
    curl, divergence = curl_and_divergence(lambda p: segments.vector_potential(p, sources), points)
    b = segments.magnetic_field(points, sources, np.ones(sources.shape[1]))
    truncation = 1e-6  # fourth-order differences over 0.3 mm, some 20 mm from the wire
    assert abs(curl - b).max() < truncation * abs(b).max()
    assert abs(divergence).max() < truncation * abs(b).max()


def test_far_field_of_a_ring_is_that_of_a_dipole():
    sides = 400
    moment = 0.5 * sides * 0.04**2 * np.sin(2 * np.pi / sides)
    point = np.array([[3.0, -4.0, 12.0]])
    r = np.linalg.norm(point)
    expected = MU0_OVER_4PI * moment * np.cross([0, 0, 1.0], point[0]) / r**3
    result = segments.vector_potential(point, ring(0.04, sides))[0]
    quadrupole = 2 * (0.04 / r) ** 2
    np.testing.assert_allclose(result, expected, rtol=quadrupole, atol=1e-11 * abs(expected).max())


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 0.9), st.integers(0, 10**6))
def test_splitting_a_segment_changes_nothing(fraction, seed):
    rng = np.random.default_rng(seed)
    start, end = rng.normal(size=(2, 3))
    middle = start + fraction * (end - start)
    points = rng.normal(size=(5, 3)) * 2
    whole, parts = rows(start, end), rows([start, middle], [middle, end])
    a = segments.vector_potential(points, whole)
    b = segments.magnetic_field(points, whole, np.ones(1))
    np.testing.assert_allclose(segments.vector_potential(points, parts), a, atol=1e-9 * abs(a).max())
    np.testing.assert_allclose(segments.magnetic_field(points, parts, np.ones(2)), b, atol=1e-9 * abs(b).max())


def test_wires_may_be_joined_in_any_order(scene):
    points, sources = scene
    near = np.concatenate([points, sources[:3].T + 2e-3])  # beside wires, too
    alone = sum(segments.vector_potential(near, np.ascontiguousarray(one[:, None])) for one in sources.T)
    apart = np.ascontiguousarray(sources[:, np.random.default_rng(5).permutation(sources.shape[1])])
    gap = np.concatenate([sources, sources + np.r_[0.1 * np.ones(6), 0, 0, 0, 0][:, None]], axis=1)  # one jump
    for order in (sources, np.ascontiguousarray(sources[:, ::-1]), apart):
        np.testing.assert_allclose(segments.vector_potential(near, order), alone, atol=1e-13 * abs(alone).max())
    second = segments.vector_potential(near, np.ascontiguousarray(gap[:, sources.shape[1] :]))
    both = segments.vector_potential(near, gap)
    np.testing.assert_allclose(both, alone + second, atol=1e-13 * abs(both).max())


def test_result_is_bitwise_the_same_for_any_thread_count(scene):
    points, sources = scene
    results = []
    for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        b = segments.magnetic_field(points, sources, np.ones(sources.shape[1]))
        results.append((segments.vector_potential(points, sources), b))
        numba.set_num_threads(before)
    assert np.array_equal(results[0][0], results[1][0])
    assert np.array_equal(results[0][1], results[1][1])


@pytest.mark.parametrize("fraction", [0.0, 0.25, 1.0])
def test_a_point_on_the_wire_never_gives_a_finite_number(fraction):
    start, end = np.array([0.0, 0.0, 0.0]), np.array([0.5, 0.0, 0.0])
    point = (start + fraction * (end - start))[None]
    assert not np.isfinite(segments.vector_potential(point, rows(start, end))).all()
    assert not np.isfinite(segments.magnetic_field(point, rows(start, end), np.ones(1))).all()


def test_on_the_straight_extension_of_a_wire_the_potential_is_finite_and_the_field_zero():
    source = rows([0.0, 0.0, 0.0], [0.5, 0.0, 0.0])
    point = np.array([[0.75, 0.0, 0.0]])
    a = segments.vector_potential(point, source)
    np.testing.assert_allclose(a, [[MU0_OVER_4PI * np.log(0.75 / 0.25), 0, 0]], rtol=ROUNDING)
    assert np.array_equal(segments.magnetic_field(point, source, np.ones(1)), np.zeros((1, 3)))
