"""Clusters of wire segments: their multipoles against the sum over segments, and what each point's answer hangs on."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efield.kernels.coils import segments
from efield.kernels.coils.clusters import DEGREES, FEW, TOLERANCE, clustered

ROUNDING = 1e-13


def rows(starts, ends, turns=1.0):
    length = np.linalg.norm(ends - starts, axis=1)[:, None]
    return np.ascontiguousarray(np.hstack([starts, ends, turns * (ends - starts) / length, length]).T)


def path(corners):
    return rows(corners[:-1], corners[1:])


def figure_of_eight():
    """Two wings of 18 rings of 60 sides, 52 to 86 mm wide, 3 layers, with currents that oppose each other."""
    angle = 2 * np.pi * np.arange(61) / 60
    rings = []
    for wing in (-1, 1):
        for turn in range(18):
            radius, z = 0.026 + 0.001 * turn, -0.003 - 0.002 * (turn % 3)
            ring = np.column_stack([np.cos(angle), wing * np.sin(angle), 0 * angle])
            rings.append(path(radius * ring + np.array([wing * 0.0435, 0, z])))
    return np.ascontiguousarray(np.hstack(rings))


def scattered(seed=3, count=1200, length=8e-3):
    """Segments every way in a ball of 50 mm, and one that goes through all of them."""
    rng = np.random.default_rng(seed)
    starts, along = rng.normal(size=(2, count, 3))
    starts *= (0.05 * rng.uniform(size=count) ** (1 / 3) / np.linalg.norm(starts, axis=1))[:, None]
    along *= (length / np.linalg.norm(along, axis=1))[:, None]
    long = np.array([[-0.2, 0.01, 0.02]]), np.array([[0.2, -0.01, 0.0]])
    return rows(np.vstack([starts, long[0]]), np.vstack([starts + along, long[1]]), rng.normal(size=(count + 1, 1)))


WIRES = {
    "figure of eight": figure_of_eight(),
    "every way": scattered(),
    "one way": rows(*(np.linspace(0, 0.1, 601)[k : 600 + k, None] * [0.6, 0.0, 0.8] for k in (0, 1))),
    "long": scattered(length=0.3),
    "short": scattered(length=1e-6),
    "at one place": np.ascontiguousarray(np.repeat(rows(np.zeros((1, 3)), np.array([[1e-3, 2e-3, 0]])), 700, axis=1)),
}


def places(sources, distances, count=400, seed=4):
    """Points at these distances in m from starts of segments."""
    rng = np.random.default_rng(seed)
    way = rng.normal(size=(count, 3))
    way *= (rng.choice(distances, count) / np.linalg.norm(way, axis=1))[:, None]
    return sources[:3, rng.integers(sources.shape[1], size=count)].T + way


def largest(points, sources):
    """A (n,) that segments would give if all of them pointed one way."""
    turned = sources.copy()
    turned[6:9] = [np.linalg.norm(sources[6:9], axis=0), *np.zeros((2, sources.shape[1]))]
    return segments.vector_potential(points, turned)[:, 0]


@pytest.mark.parametrize("name", WIRES)
@pytest.mark.parametrize("distance", [1e-6, 1e-3, 4e-3, 0.02, 0.05, 0.1, 0.2, 0.3, 3.0, 1e4])
def test_clusters_give_the_sum_over_segments_at_any_distance(name, distance):
    sources = WIRES[name]
    points = places(sources, [distance, 1.1 * distance])
    exact = segments.vector_potential(points, sources)
    off = np.abs(segments.vector_potential(points, clustered(sources)) - exact).max(axis=1)
    series = 1 / (1 - TOLERANCE ** (1 / (DEGREES[-1] + 1)))  # terms behind the first that is left out
    assert (off <= (series * TOLERANCE + ROUNDING) * largest(points, sources)).all()


@pytest.mark.parametrize("kind", range(len(DEGREES)))
def test_where_a_degree_just_does_the_worst_case_is_off_by_the_tolerance(kind):
    """Of 1 / (d - 1), the potential of what lies at a cluster's edge, the series to degree p lacks (1/d)^(p + 1)."""
    middles = np.zeros((1000, 3))
    middles[:, 0], middles[0, 0] = 0.01, -0.01
    half = np.array([0, 5e-8, 0])
    sources = rows(middles - half, middles + half, np.r_[1e-9, np.ones(999)][:, None])
    clusters = clustered(sources)
    point = np.array([[1.000001 * 0.01 * np.sqrt(clusters.limits[0, kind]), 0, 0]])
    exact = segments.vector_potential(point, sources)[0, 1]
    off = exact - segments.vector_potential(point, clusters)[0, 1]
    assert abs(off / exact - TOLERANCE) < 0.01 * TOLERANCE + ROUNDING
    point *= 0.999998
    nearer = segments.vector_potential(point, sources) - segments.vector_potential(point, clusters)
    assert abs(nearer[0, 1] / exact) < 0.2 * TOLERANCE  # a higher degree, or halves of the cluster


def test_in_a_head_below_a_coil_the_error_is_that_of_rounding():
    sources = figure_of_eight()
    points = np.random.default_rng(6).uniform([-0.09, -0.11, 0.004], [0.14, 0.1, 0.22], (3000, 3))
    exact = segments.vector_potential(points, sources)
    off = np.linalg.norm(segments.vector_potential(points, clustered(sources)) - exact, axis=1)
    size = np.linalg.norm(exact, axis=1)
    assert off.max() < 1e-13 * size.max()
    assert (off / size).max() < 1e-11  # where wings cancel each other
    assert np.median(off / size) < 1e-13


def test_multipoles_stand_for_most_of_the_sum():
    """Without them next to nothing is left in the distance, and all of it beside a wire."""
    sources = figure_of_eight()
    clusters = clustered(sources)
    without = clusters._replace(moments=np.zeros_like(clusters.moments))
    far, near = places(sources, [0.3]), sources[:3, ::40].T + 1e-5
    assert not segments.vector_potential(far, without).any()
    part = segments.vector_potential(near, without)
    assert (np.linalg.norm(part, axis=1) > 0.1 * np.linalg.norm(segments.vector_potential(near, sources), axis=1)).all()


def test_curl_is_the_magnetic_field_of_the_segments_and_the_divergence_vanishes(curl_and_divergence):
    sources = WIRES["figure of eight"]
    clusters, points = clustered(sources), places(sources, [0.03, 0.08, 0.2], count=100)
    curl, divergence = curl_and_divergence(lambda p: segments.vector_potential(p, clusters), points)
    b = segments.magnetic_field(points, sources, np.ones(sources.shape[1]))
    truncation = 1e-6  # fourth-order differences over 0.3 mm, some 20 mm from the wire
    assert abs(curl - b).max() < truncation * abs(b).max()
    assert abs(divergence).max() < truncation * abs(b).max()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 300))
def test_a_point_has_the_same_bits_in_any_company(seed, count):
    rng = np.random.default_rng(seed)
    sources = WIRES["every way"]
    clusters = clustered(sources)
    points = places(sources, [1e-4, 4e-3, 0.02, 0.05, 0.1, 0.3], count=300, seed=seed)
    together = segments.vector_potential(points, clusters)
    chosen = rng.permutation(300)[:count]
    assert np.array_equal(segments.vector_potential(points[chosen], clusters), together[chosen])
    alone = np.vstack([segments.vector_potential(points[k : k + 1], clusters) for k in chosen[:5]])
    assert np.array_equal(alone, together[chosen[:5]])


def test_result_is_bitwise_the_same_for_any_thread_count_and_each_time():
    sources = WIRES["every way"]
    points, before, results = places(sources, [4e-3, 0.1], count=1500), numba.get_num_threads(), []
    for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        numba.set_num_threads(threads)
        results.append(segments.vector_potential(points, clustered(sources)))
        numba.set_num_threads(before)
    assert np.array_equal(*results)


@pytest.mark.parametrize("count", [1, 30, FEW])
def test_few_segments_are_summed_as_they_are(count):
    sources = np.ascontiguousarray(figure_of_eight()[:, :count])
    points = places(sources, [1e-3, 0.05, 0.3])
    exact = segments.vector_potential(points, sources)
    assert np.array_equal(segments.vector_potential(points, clustered(sources)), exact)
    more = np.ascontiguousarray(figure_of_eight()[:, : FEW + 1])
    assert not np.array_equal(
        segments.vector_potential(points, clustered(more)), segments.vector_potential(points, more)
    )


def test_a_point_on_a_wire_never_gives_a_finite_number():
    sources = figure_of_eight()
    a = segments.vector_potential(np.ascontiguousarray(sources[3:6].T[::50]), clustered(sources))
    assert not np.isfinite(a).all(axis=1).any()


@pytest.mark.parametrize("count", [30, 2 * FEW])
def test_so_far_away_that_distances_overflow_nothing_is_read_beyond_the_moments(count):
    """Infinity is not below infinity: what no degree will do for must not be looked up at any distance."""
    clusters = clustered(np.ascontiguousarray(figure_of_eight()[:, :count]))
    behind = np.full((2 * len(clusters.moments) + 9, *clusters.moments.shape[1:]), np.nan)
    behind[: len(clusters.moments)] = clusters.moments
    guarded = clusters._replace(moments=behind[: len(clusters.moments)])
    far = np.array([[1e160, 0, 0], [0, -1e200, 3.0], [0.3, 0.2, 0.1]])
    assert np.array_equal(segments.vector_potential(far, guarded), segments.vector_potential(far, clusters))
    assert not np.isnan(segments.vector_potential(far, guarded)).any()
