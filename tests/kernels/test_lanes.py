"""Fused multiply-adds, sums of fixed order, and kernels whose bits do not depend on how they came to be compiled."""

import hashlib
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numba import njit

import efield
from efield.kernels.coils import dipoles
from efield.kernels.lanes import LANES, dot, fma, load, store


@njit
def fused(a, b, c):
    return fma(a, b, c)


@njit
def row_product(a, i, b, j):
    return dot(a, i, b, j)


def product(a, b):
    """Of the third row of one matrix and the second of another."""
    return row_product(np.stack([0 * a + 7, 0 * a + 5, a]), 2, np.stack([0 * b + 3, b]), 1)


@njit
def through(points, factor, out):
    for first in range(0, points.shape[0], LANES):
        lanes = np.empty((3, LANES))
        load(points, first, lanes)
        store(lanes, factor, first, out)


def test_a_fused_multiply_add_is_rounded_once():
    a = 1.0 + 2.0**-30
    # a * a - (1 + 2^-29) is 2^-60, which a product of its own would have rounded away.
    assert a * a - (1.0 + 2.0**-29) == 0.0
    assert fused(a, a, -(1.0 + 2.0**-29)) == 2.0**-60


@pytest.mark.parametrize("size", [*range(20), 31, 32, 33, 47, 64, 100, 333])
@pytest.mark.parametrize(
    ("left", "right"), [(np.int16, np.float32), (np.float32, np.float32), (np.float64, np.float64)]
)
def test_dot_is_the_sum_of_the_products(size, left, right):
    rng = np.random.default_rng(size)
    a = (1000 * rng.normal(size=size)).astype(left)
    b = rng.normal(size=size).astype(right)
    exact = float(sum((Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a, b, strict=True)), Fraction()))
    largest = np.abs(a.astype(float) * b).sum()
    result = product(a, b)
    assert abs(float(result) - exact) <= (size + 1) * np.finfo(right).eps * largest


def test_dot_of_whole_numbers_is_exact_whatever_the_order():
    a = np.arange(1000, dtype=np.int16)
    assert product(a, np.ones(1000, np.float32)) == 499500


@pytest.mark.parametrize("count", [1, LANES - 1, LANES, LANES + 1, 3 * LANES - 5])
def test_lanes_take_every_point_once(count):
    points = np.random.default_rng(0).normal(size=(count, 3))
    out = np.full((count, 3), np.nan)
    through(points, 2.0, out)
    np.testing.assert_array_equal(out, 2.0 * points)


KERNELS = """
import hashlib
import numpy as np
from efield.kernels.coils import dipoles
from efield.kernels.reduced import leaves
from efield.kernels.reduced import modes
from efield.kernels.coils import stored
from efield.kernels.reduced import reciprocity
from efield.kernels.coils import segments
from efield.kernels.coils.clusters import clustered
rng = np.random.default_rng(0)
points = rng.uniform(-0.3, 0.3, (5000, 3))
sources = rng.uniform(-0.1, 0.1, (10, 37))
sources[9] = np.linalg.norm(sources[3:6] - sources[:3], axis=0)
many = rng.uniform(-0.02, 0.02, (10, 800))
many[9] = np.linalg.norm(many[3:6] - many[:3], axis=0)
children = -2 - np.arange(8, dtype=np.int32)[None]
turn = np.ascontiguousarray(np.linalg.qr(rng.normal(size=(3, 3)))[0])
cubes = rng.normal(size=(8, 8, 192)).astype(np.float32)
kept = rng.normal(size=(8, 2, 3, leaves.TERMS)).astype(np.float32)
placed = np.tile(np.eye(4), (9, 1, 1))
placed[:, :3, :3] = turn
rows = rng.integers(-9999, 9999, (50, 77)).astype(np.int16)
scale = np.ones(50, np.float32)
wide = rng.normal(size=(77, modes.WIDTH)).astype(np.float32)
out = np.empty((modes.WIDTH, 50), np.float32)
modes.expand_block(50, rows, scale, np.arange(50), wide, out)
results = [
    dipoles.vector_potential(points, sources[:6]),
    dipoles.magnetic_field(points, sources[:6]),
    segments.vector_potential(points, sources),
    segments.vector_potential(points, clustered(many)),
    segments.magnetic_field(points, sources, np.ones(37)),
    stored.evaluate(0.5 * points, turn, np.zeros(3), 0.32, children, cubes),
    reciprocity.inverse_distance(points, points[:40] + 1.0, points[:40]),
    reciprocity.placements(placed, 0.5 * points[:99], points[:99], np.zeros(3), 0.32, children, kept),
    modes.expand(rows, scale, wide[:, 0].copy()),
    modes.times(points[:40] @ points[:300].T, points[:300, 0].copy()),
    out,
]
for result in results:
    assert np.isfinite(result).all()
    print(hashlib.sha256(result.tobytes()).hexdigest())
"""


def compiled_before():
    """Where bits of freshly compiled kernels are noted; None where kernels are not kept by all that decides them."""
    locator = dipoles.vector_potential.kernel._cache._impl.locator
    if not hasattr(locator, "_stamp"):
        return None
    return Path(locator.get_cache_path()) / f"bits-{hashlib.sha256(KERNELS.encode()).hexdigest()[:16]}.txt"


def test_kernels_give_the_same_bits_when_they_are_compiled_and_when_they_come_from_the_cache(tmp_path):
    """Where `.ci/run` keeps kernels, those compiled from the same sources by the same versions stand for new ones."""
    source = str(Path(efield.__file__).parent.parent)

    def bits(**other):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([source, *sys.path])} | other
        done = subprocess.run(
            [sys.executable, "-c", KERNELS], env=environment, capture_output=True, text=True, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    note = compiled_before()
    if note is not None and note.exists():
        assert bits() == note.read_text().split()
        return
    compiled = bits(NUMBA_CACHE_DIR=str(tmp_path))
    assert list(tmp_path.rglob("*.nbc"))
    assert bits(NUMBA_CACHE_DIR=str(tmp_path)) == compiled
    assert len(compiled) == 11
    if note is not None:
        note.write_text("\n".join(compiled))
