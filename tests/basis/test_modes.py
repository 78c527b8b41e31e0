"""From snapshots to a linear model: exact where the data are, and the same however the snapshots come."""

import numpy as np
import pytest

from efield.basis import build
from efield.basis.build import Plan
from efield.basis.modes import Gram, LinearModel, fit
from efield.basis.outputs import Outputs
from efield.basis.primary import samples
from efield.basis.probe_points import emphasis, sample_points
from efield.basis.scalp_patch import ScalpPatch

#: Steps of 1/32767 of a row's largest value, a few of them added.
SIXTEEN_BITS = 2e-4
#: Single precision of the stored fields.
SINGLE = 1e-6


@pytest.fixture(scope="module")
def linear():
    """Fields that depend linearly on samples of rank 12, on 40 places."""
    rng = np.random.default_rng(0)
    samples_of = rng.normal(size=(90, 12))
    field_of = rng.normal(size=(120, 12)) * np.geomspace(1, 1e-2, 12)
    draws = rng.normal(size=(12, 60))
    weights = rng.uniform(0.5, 2.0, 40)
    return samples_of @ draws, (field_of @ draws).astype(np.float32), weights


def test_inner_products_are_those_of_the_fields_whatever_the_blocks(linear):
    _, fields, weights = linear
    gram, whole = Gram(weights), Gram(weights)
    for block in (fields[:, :7], fields[:, 7:20], fields[:, 20:]):
        gram.add(block)
    whole.add(fields)
    exact = fields.astype(float).T @ (np.repeat(weights, 3)[:, None] * fields)
    assert np.allclose(gram.products, exact, rtol=0, atol=1e-12 * np.abs(exact).max())
    assert np.allclose(whole.products, gram.products, rtol=0, atol=1e-12 * np.abs(exact).max())


def test_a_linear_map_is_found_and_its_modes_are_as_many_as_it_has(linear):
    sampled, fields, weights = linear
    gram = Gram(weights)
    gram.add(fields[:, :40])
    found = fit(gram.products, sampled[:, :40], 8, np.ones(90), 1e-5)
    assert found.error < 10 * SINGLE
    assert found.combinations.shape == (32, 12)
    assert found.span.shape[0] == 12
    model = LinearModel(*gram.combined(found.combinations, 8), found.to_modes)
    fast, exact = model.fields(sampled[:, 40:]), fields[:, 40:].T.reshape(20, 40, 3)
    assert np.abs(fast - exact).max() < SIXTEEN_BITS * np.abs(exact).max()
    some = np.array([3, 4, 39])
    block = model.expanded(np.ascontiguousarray(sampled[:, 40:].T), some)
    assert np.abs(block - exact[:, some]).max() < SIXTEEN_BITS * np.abs(exact).max()


def test_fewer_modes_are_kept_for_a_coarser_tolerance(linear):
    sampled, fields, weights = linear
    gram = Gram(weights)
    gram.add(fields)
    ranks = [fit(gram.products, sampled, 8, np.ones(90), tol).combinations.shape[1] for tol in (1.0, 0.3, 1e-4)]
    assert ranks == sorted(ranks)
    assert ranks[0] < ranks[-1] == 12


def test_what_the_samples_do_not_span_is_seen(linear):
    sampled, fields, weights = linear
    gram = Gram(weights)
    gram.add(fields)
    found = fit(gram.products, sampled, 8, np.ones(90), 1e-4)
    serves = build.AnyCoil.of(5.0, found.span, np.ones(90))
    known = sampled[:, 3]
    alien = np.random.default_rng(5).normal(size=90)
    alien -= found.span.T @ (found.span @ alien)
    alien *= np.linalg.norm(known) / np.linalg.norm(alien)
    # Rounding.
    assert serves.rest(known) < 1e-9
    # 64 random combinations tell a length to a tenth (one standard deviation).
    assert serves.rest(known + alien) == pytest.approx(0.5**0.5, rel=0.3)
    assert serves.rest(np.zeros(90)) == 0.0


def test_the_first_snapshots_span_the_primary_fields_better_than_as_many_in_the_order_drawn(sim, coil, target):
    head = sim.head
    patch = ScalpPatch.around(head, target, 8.0, 4.0, (3.0, 6.0))
    outputs = Outputs.near(sim.problem, target, 20.0, "tets")
    points = sample_points(head, patch.frame[:3, 3], target)
    plan = Plan(sim, coil, target, patch, outputs, points, 5.0, 1e-2, 64, 0)
    chosen = samples(plan.training()[:20], points, 1e6)
    drawn = samples([(coil, pose) for pose in patch.poses(256, (0, 0), head, coil)], points, 1e6)
    weight = emphasis(points, patch.frame[:3, 3])[:, None]

    def worst(of):
        basis = np.linalg.qr(weight * of)[0]
        all_of = weight * drawn / np.linalg.norm(weight * drawn, axis=0)
        return np.linalg.norm(all_of - basis @ (basis.T @ all_of), axis=0).max()

    orders = [samples([(coil, pose) for pose in patch.poses(20, (k, 0), head, coil)], points, 1e6) for k in range(8)]
    assert worst(chosen) < 0.7 * np.median([worst(order) for order in orders])
