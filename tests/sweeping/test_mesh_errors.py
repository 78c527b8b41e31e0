"""What the mesh does to the measures of each engine, against the closed form."""

import numpy as np
import pytest

from efield.sweeping.engines import columns
from efield.sweeping.mesh_errors import mesh_errors
from efield.sweeping.sweep import sweep
from efield.targeting import errors
from efield.targeting.errors import measures_of
from efield.targeting.placement import place_coil
from tests.targeting.test_errors import ON_CORTEX, ClosedForm, true_at_maximum

ANGLES = (0, 45, 90)


@pytest.fixture(scope="module")
def poses(head, target, coil):
    return [place_coil(head, target, angle, 4, coil=coil) for angle in ANGLES]


@pytest.fixture(scope="module")
def truths(head, target, poses, sim, coil):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(errors, "_PLACES", 2000)  # the closed form takes long
        found = [measures_of(ClosedForm(head, pose), head, target) for pose in poses]
    for truth, field in zip(found, sim.solve_many(coil, poses), strict=True):
        truth["max_magnitude"] = true_at_maximum(field, target)
    return found


@pytest.mark.parametrize("name", ["sim", "basis", "by_axes"])
def test_the_truth_lies_within_twice_the_error_at_the_best_placement(name, request, coil, poses, target, truths):
    engine = request.getfixturevalue(name)
    table = sweep(engine, coil, poses, target=target)
    best = int(table.mesh_error_placement)
    assert best == int(table.along.values.argmax()) == ANGLES.index(45)
    certified = engine.certificate.field.max if name == "basis" else 0.0
    for measure, meaning in columns(engine, target).items():
        error = table[f"{measure}_mesh_error"]
        assert error.attrs["units"] == meaning.unit
        assert error > 0
        if measure not in ON_CORTEX:
            size = float(table.mean_vector[best]) if meaning.unit == "V/m" else np.degrees(1)
            off = abs(float(table[measure][best]) - truths[best][measure])
            assert off <= 2 * float(error) + (0.003 + certified) * size, measure


def test_of_other_placements_it_is_about_the_same_share(sim, coil, poses, target):
    table = sweep(sim, coil, poses, target=target)
    for pose, mean in zip(poses, table.mean_magnitude.values, strict=True):
        share = mesh_errors(sim, coil, pose, target)["mean_magnitude"] / mean
        best = float(table.mean_magnitude_mesh_error / table.mean_magnitude[table.mesh_error_placement])
        assert share == pytest.approx(best, rel=0.5)


def test_it_is_that_of_a_summary_and_can_be_left_out(sim, coil, poses, target):
    table = sweep(sim, {"one": coil, "other": coil}, poses, target=target, didt=[1e6, -3e6])
    for rate in (1e6, -3e6):
        summary = sim.solve(coil, poses[1], rate).summary(target)
        for name in columns(sim, target):
            found = table[f"{name}_mesh_error"].sel(coil="other", didt=rate)
            assert float(found) == pytest.approx(summary.measures[name].error, rel=1e-6), name
    assert table.mesh_error_placement.dims == ("coil",)
    plain = sweep(sim, coil, poses, target=target, errors=False)
    assert not [name for name in plain.data_vars if "mesh_error" in str(name)]
