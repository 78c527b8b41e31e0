"""Measures: what their meanings say, and the same number under the same name whoever gives it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efield.basis.outputs import Outputs
from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh
from efield.head.surface import cortex
from efield.reciprocity.reciprocal import reciprocal
from efield.sweeping.sweep import sweep
from efield.targeting.measures import (
    AT_TARGET,
    MEASURES,
    MIDSURFACE,
    RENAMED,
    TargetMeasures,
    names_at,
    scaled,
    unknown,
    weighted_percentile,
)
from efield.targeting.placement import place_coil
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target

#: A sum in another order differs by this much.
ROUNDING = 1e-12

#: Placements are solved with the coil's stored potential, which is off by up to 1e-4 of the peak; here by much less.
STORED = 1e-5


def percentile(values, weights, percent):
    """The definition, in plain numpy: the first value at which the running weight reaches the share."""
    order = np.argsort(values)
    running = np.cumsum(weights[order])
    return values[order][np.searchsorted(running, percent / 100 * running[-1]).clip(max=len(order) - 1)]


# The first call compiles.
@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from((0.1, 1.0, 50.0, 99.0, 99.9, 100.0)), st.sampled_from((1, 7, 5000)))
def test_the_percentile_is_where_the_running_weight_reaches_the_share(seed, percent, size):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=size) ** 3
    values[: size // 3] = values[-1]
    # Sums of eighths are exact in any order.
    weights = rng.integers(1, 9, size) / 8
    assert weighted_percentile(values, weights, percent) == percentile(values, weights, percent)


@pytest.fixture(scope="module")
def rows(sim, target):
    """E at random at the rows that a basis in tetrahedra has, and where the target's are among them."""
    outputs = Outputs.near(sim.problem, target, 25.0, "tets")
    measures, rows = outputs.measured(sim.head, target)
    return outputs, measures, rows, np.random.default_rng(1).normal(size=(3, outputs.rows, 3))


def test_measures_are_what_their_meanings_say(head, target, sim, rows):
    outputs, measures, needed, e = rows
    found = dict(zip(measures.names, measures.of_rows(e[:1, needed.numbers], needed)[0], strict=True))
    assert tuple(AT_TARGET) == measures.names
    pairs = {
        (int(n), int(t)): e[0, len(outputs.numbers) + k]
        for k, (n, t) in enumerate(zip(outputs.nodes, outputs.tags, strict=True))
    }
    tets = target.tets(head)
    inside = np.array([np.mean([pairs[int(n), int(head.tissue[t])] for n in head.tets[t]], axis=0) for t in tets])
    volume, size = head.volumes[tets], np.linalg.norm(inside, axis=1)
    mean = np.average(inside, axis=0, weights=volume)
    surface = cortex(head)
    near = np.flatnonzero(np.linalg.norm(surface.centers_mm - target.center_mm, axis=1) <= target.radius_mm)
    corners = surface.nodes[surface.triangles[near]]
    at_faces = np.array([np.mean([pairs[int(n), 2] for n in face], axis=0) for face in corners])
    inward, area = -np.einsum("ij,ij->i", at_faces, surface.triangle_normals[near]), surface.areas[near]
    beside = np.linalg.norm(at_faces + inward[:, None] * surface.triangle_normals[near], axis=1)
    along = mean @ target.direction
    assert len(near) > 3
    expected = {
        "mean_magnitude": np.average(size, weights=volume),
        "p50_magnitude": percentile(size, volume, 50),
        "p99_magnitude": percentile(size, volume, 99),
        "max_magnitude": size.max(),
        "mean_vector": np.linalg.norm(mean),
        "normal_mean": np.average(abs(inward), weights=area),
        "normal_in_p99": percentile(inward, area, 99),
        "normal_out_p99": percentile(-inward, area, 99),
        "tangential_mean": np.average(beside, weights=area),
        "along": along,
        "across": np.linalg.norm(mean - along * target.direction),
        "angle": np.degrees(np.arccos(along / np.linalg.norm(mean))),
    }
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9 if name == "angle" else ROUNDING)


@pytest.mark.parametrize("share", [-2.0, 0.5])
def test_measures_at_another_rate_are_those_of_the_scaled_field(rows, share):
    _, measures, needed, e = rows
    e = e[:, needed.numbers]
    table = dict(zip(measures.names, measures.of_rows(e, needed).T, strict=True)) | {"e": e}
    exact = dict(zip(measures.names, measures.of_rows(share * e, needed).T, strict=True))
    for name, values in scaled(table, share, measures.names).items():
        assert np.allclose(values, exact[name], rtol=ROUNDING, atol=0)
    assert np.array_equal(scaled(table, share)["e"], share * e)
    table["region_focality_50"] = np.full(len(e), 3.0)
    assert np.isnan(scaled(table, 0.0)["angle"]).all()
    assert np.isnan(scaled(table, 0.0)["region_focality_50"]).all()
    assert np.array_equal(scaled(table, share)["region_focality_50"], table["region_focality_50"])


def test_without_gray_matter_there_is_no_component_and_without_a_direction_none_along_it(head):
    bone = HeadMesh(points=head.points, tets=head.tets, tissue=np.full(len(head.tets), 4))
    target = Target.sphere(center_mm=(0, 0, 60), tags=(4,))
    measures = TargetMeasures.at(bone, target)
    assert measures.names == names_at(target)
    assert not {"along", "across", "angle"} & set(measures.names)
    assert not len(measures.areas)


@pytest.fixture(scope="module", params=[1, 2])
def solved(request, head, coil, target, sim):
    """A placement solved in full on elements of each order."""
    engine = sim if request.param == 1 else Simulator(head, tol=1e-9, order=2)
    pose = place_coil(head, target, 30, 4, coil=coil)
    return engine, pose, engine.solve(coil, pose, -2e6).summary(target)


def test_a_sweep_says_what_the_summary_says(solved, coil, target):
    engine, pose, summary = solved
    table = sweep(engine, coil, [pose], target=target, didt=-2e6)
    shared = set(summary) & set(table.data_vars)
    assert shared == set(AT_TARGET)
    for name in shared:
        assert float(table[name][0]) == pytest.approx(summary[name], rel=STORED)
        assert table[name].attrs["units"] == MEASURES[name].unit


def test_reciprocity_says_what_the_summary_says(sim, head, coil, target):
    pose = place_coil(head, target, 30, 4, coil=coil)
    summary = sim.solve(coil, pose, -2e6).summary(target)
    found = reciprocal(sim, target, axes=True).measures(coil, [pose], -2e6, exact=True)
    assert set(found) == {"mean_vector", "along", "across", "angle"}
    for name, values in found.items():
        assert values[0] == pytest.approx(summary[name], rel=1e-6)


def test_a_basis_says_what_the_summary_says_within_its_certificate(basis, sim, head, coil, target):
    pose = place_coil(head, target, 30, 4, coil=coil)
    summary, found = sim.solve(coil, pose).summary(target), basis.measures([pose])
    assert set(found) == set(AT_TARGET)
    for name, values in found.items():
        allowed = 3 * basis.certificate.measures[name].max
        allowed *= np.degrees(1) if name == "angle" else summary["mean_magnitude"]
        assert abs(values[0] - summary[name]) < allowed


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_old_names_are_errors_that_name_the_new(solved, old, new):
    assert new in MEASURES
    assert old not in MEASURES
    for error in (KeyError, InputError):
        with pytest.raises(error, match=f"called '{new}' now"):
            solved[2][old]
    assert old not in solved[2]
    assert solved[2].get(old) is None


def test_a_measure_that_is_not_given_here_is_told_from_one_that_does_not_exist():
    assert "not one that is given here" in str(unknown("region_focality_50", ["along"]))
    assert "not one that is given here" not in str(unknown("loudness", ["along"]))


def page():
    """The table of docs/measures.md."""
    rows = ["| name | unit | meaning | field | region | weight |", "|---|---|---|---|---|---|"]
    for name, one in MEASURES.items():
        if not name.startswith(MIDSURFACE):
            cells = (f"`{name}`", one.unit, one.meaning, one.field, one.region, one.weight)
            rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def test_the_page_of_measures_is_the_table():
    text = (Path(__file__).parents[2] / "docs" / "measures.md").read_text()
    assert page() in text, f"docs/measures.md must hold this table:\n{page()}"
    for old, new in RENAMED.items():
        assert f"| `{old}` | `{new}` |" in text
