"""Several coils at once: fields add, whatever the poses and currents."""

import numpy as np
import pytest

from efield.coils.drive import Drive
from efield.coils.model import Coil, SampledField
from efield.ground.errors import InputError
from efield.head.spheres import sphere_head
from efield.targeting.collision import clearance_mm
from efield.targeting.placement import place_coil
from efield.targeting.simulate import Simulator
from efield.targeting.targets import m1_hand

#: The solver stops at a relative residual of 1e-8; the field's error is a few hundred times that at most.
SOLVER = 1e-5


def ring(radius):
    angle = np.linspace(0, 2 * np.pi, 25)
    path = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.full(25, -5.0)])
    return Coil.from_segments(path[:-1], path[1:], 10, name=f"ring {radius:g}")


@pytest.fixture(scope="module")
def head():
    return sphere_head((70.0, 73.0, 79.0, 85.0), (2, 3, 4, 5), edge_mm=9.0)


@pytest.fixture(scope="module")
def drives(head):
    left, right = ring(20.0), ring(35.0)
    return (
        Drive(left, place_coil(head, (-40, 0, 60), 30, coil=left), 1.5e6),
        Drive(right, place_coil(head, (45, 10, 55), -20, coil=right), -0.7e6),
    )


@pytest.fixture(scope="module")
def simulator(head):
    return Simulator(head)


@pytest.fixture(scope="module")
def both(simulator, drives):
    return simulator.solve_together(drives)


def test_the_field_of_two_coils_is_the_sum_of_their_fields(simulator, drives, both):
    alone = [simulator.solve(d.coil, d.pose, d.didt) for d in drives]
    total = alone[0].e + alone[1].e
    assert np.linalg.norm(both.e - total) < SOLVER * np.linalg.norm(total)
    points = np.array([[-30.0, 0, 40], [30, 10, 40], [0, 0, 0]])
    assert both.at(points) == pytest.approx(alone[0].at(points) + alone[1].at(points), rel=1e-3)


def test_opposite_currents_in_one_place_cancel(simulator, drives):
    first = drives[0]
    nothing = simulator.solve_together([first, Drive(first.coil, first.pose, -first.didt)])
    assert np.abs(nothing.e).max() == 0


def test_one_drive_is_one_coil(simulator, drives):
    first = drives[0]
    together, alone = simulator.solve_together([first]), simulator.solve(first.coil, first.pose, first.didt)
    assert np.linalg.norm(together.e - alone.e) < SOLVER * np.linalg.norm(alone.e)
    assert together.others == ()


def test_the_field_knows_its_coils_and_the_summary_the_nearest(head, drives, both):
    assert [d.coil.name for d in both.drives] == ["ring 20", "ring 35"]
    assert both.didt == 1.5e6
    summary = both.summary(m1_hand(head))
    nearest = min(clearance_mm(head, d.coil, d.pose) for d in drives)
    assert summary["coil_clearance"] == nearest
    assert summary["mean_magnitude_per_drive"] is None


def test_the_clearance_of_a_coil_without_shape_is_unknown(head, both):
    from dataclasses import replace

    sampled = Coil(name="sampled", sources=(SampledField(np.eye(4), np.zeros((2, 2, 2, 3))),))
    summary = replace(both, coil=sampled, others=()).summary(m1_hand(head))
    assert summary["coil_clearance"] is None


def test_no_drive_and_no_number_are_refused(simulator, drives):
    for wrong in ([], [drives[0].coil]):
        with pytest.raises(InputError, match=r"one Drive\(coil, pose, didt\) or more"):
            simulator.solve_together(wrong)
    with pytest.raises(InputError, match="didt"):
        Drive(drives[0].coil, drives[0].pose, np.nan)


def test_a_name_or_a_matrix_in_place_of_the_object_is_answered(simulator, drives):
    coil, pose = drives[0].coil, drives[0].pose
    with pytest.raises(InputError, match="such as load_coil"):
        Drive("d70", pose)
    for make in (Drive, simulator.solve):
        with pytest.raises(InputError, match=r"Pose\(matrix\)"):
            make(coil, pose.matrix)
