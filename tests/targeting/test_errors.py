"""Every measure with its numerical error: near the true one on a sphere, linear in the drive, only when asked for."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.spatial import Delaunay

from efield.ground.pose import Pose
from efield.head.locate import Locator
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head
from efield.targeting import errors
from efield.targeting.errors import measures_of
from efield.targeting.field import EField
from efield.targeting.measures import AT_TARGET, IN_HEAD, middle_of
from efield.targeting.simulate import Simulator
from efield.targeting.summary import Measured, Summary
from efield.targeting.targets import Target, m1_hand
from efield.targeting.validation import closed_form
from tests.small import light_coil

COIL = light_coil()

#: The closed form knows a round cortex, the mesh a faceted one: normal components on it are not compared.
ON_CORTEX = ("normal_mean", "normal_in_p99", "normal_out_p99", "tangential_mean")


@dataclass(frozen=True)
class ClosedForm:
    """The truth, asked for as a second opinion is."""

    head: HeadMesh
    pose: Pose

    def at(self, tets, weights):
        places = np.einsum("qk,qkd->qd", weights, self.head.points[self.head.tets[tets]])
        return closed_form(COIL, self.pose, places, 1e6)


def true_at_maximum(field, target):
    """What a maximum is compared with: |E| of the closed form at its own place."""
    tets = target.tets(field.head)
    largest = tets[np.argmax(np.linalg.norm(field.in_tets(tets), axis=1))]
    return float(np.linalg.norm(closed_form(COIL, field.pose, field.head.barycenters[[largest]], field.didt)))


@pytest.fixture(scope="module")
def head():
    return sphere_head(edge_mm=9.0)


@pytest.fixture(scope="module")
def target(head):
    hand = m1_hand(head)
    return Target("hand", 0.95 * hand.center_mm, 12.0, direction=hand.direction)


@pytest.fixture(scope="module")
def pose(target):
    up = target.center_mm / np.linalg.norm(target.center_mm)
    across = np.cross(up, target.direction)
    return Pose.from_axes(92.0 * up, y=np.cross(across, up), z=-up)


@pytest.fixture(scope="module")
def field(head, pose, one_thread):
    return Simulator(head, solver="multigrid").solve(COIL, pose)


def test_errors_are_those_against_the_closed_form(head, target, pose, field, monkeypatch):
    monkeypatch.setattr(errors, "_PLACES", 2000)  # the closed form takes long
    summary = field.summary(target)
    truth = measures_of(ClosedForm(head, pose), head, target)
    truth["max_magnitude"] = true_at_maximum(field, target)
    for name in set(AT_TARGET) - set(ON_CORTEX) | {"peak"}:
        one = summary.measures[name]
        off, small = abs(one.value - truth[name]), 0.003 * abs(one.value)
        assert off <= 2 * one.error + small, name
        assert one.error <= 3 * off + small, name


def test_every_measure_of_the_field_has_an_error_and_no_other(field, target):
    summary = field.summary(target)
    of_field = {*AT_TARGET, *IN_HEAD, "mean_magnitude_per_drive"}
    assert {name for name, one in summary.metrics.items() if one.error is not None} == of_field
    assert summary.metrics is summary.measures
    document = summary.to_json()["mean_magnitude"]
    assert document["error"] == summary.measures["mean_magnitude"].error > 0
    assert summary.text("mean_magnitude").endswith("V/m (mesh)")
    assert "±" in str(summary)
    assert "error" in summary.to_dataframe().columns


@dataclass(frozen=True)
class Jagged:
    """The reported field, too large by three tenths in every other tetrahedron and too small by as much in the rest."""

    field: EField

    def at(self, tets, weights):
        sign = np.where(tets % 2, 1.0, -1.0)
        return (1 + 0.3 * sign)[:, None] * self.field.in_tets(tets)


def test_an_error_is_never_below_the_square_of_the_disagreement_at_single_places(head, target, field):
    other = replace(field, consult=lambda: Jagged(field))
    measures, theirs = other.summary(target).measures, measures_of(Jagged(field), head, target)
    mean = measures["mean_magnitude"].value
    for name in ("mean_magnitude", "p99_magnitude", "across", "peak", "focality_50"):
        value = measures[name].value
        # A component is no better known than E is.
        size = mean if name == "across" else value
        around = errors.unseen(head, None if name in IN_HEAD else target)
        assert measures[name].error == pytest.approx(around * np.hypot(theirs[name] - value, 0.3**2 * size)), name
    turned = measures["angle"]
    apart = np.hypot(theirs["angle"] - turned.value, np.degrees(0.3**2))
    assert turned.error == pytest.approx(errors.unseen(head, target) * apart)
    assert abs(theirs["mean_magnitude"] - mean) < 0.03 * mean
    assert measures["mean_magnitude"].error > 0.09 * mean


def test_a_disc_on_the_middle_of_the_cortex_has_the_errors_of_its_vertices(pose, target, one_thread):
    head = sphere_head((58.0, 70.0, 73.0, 79.0, 85.0), (1, 2, 3, 4, 5), edge_mm=13.0)
    disc = Target.disc(target.center_mm, 20.0, direction=target.direction)
    solved = Simulator(head, solver="multigrid").solve(COIL, pose)
    field = replace(solved, consult=lambda: Jagged(solved))
    measures = field.summary(disc).measures
    vertices, places = middle_of(head, disc)
    one, other = solved.at(places), Jagged(solved).at(*Locator(head).find(places))
    share = np.average(np.sum((one - other) ** 2, axis=1), weights=vertices.weights)
    share /= np.average(np.sum(one**2, axis=1), weights=vertices.weights)
    theirs = vertices.of_vertices(other)
    assert len(theirs) == len(AT_TARGET)
    theirs["midsurface_max_magnitude"] = np.linalg.norm(other[np.argmax(np.linalg.norm(one, axis=1))])
    mean = measures["midsurface_mean_magnitude"].value
    apart = {name: abs(value - measures[name].value) for name, value in theirs.items()}
    tails = ["midsurface_normal_in_p99", "midsurface_normal_out_p99"]
    apart |= dict.fromkeys(tails, max(apart[name] for name in tails))  # the worse speaks for both
    for name in set(theirs) - {"midsurface_angle"}:
        mine = measures[name]
        wanted = np.hypot(apart[name], share * max(abs(mine.value), mean))
        assert mine.error == pytest.approx(wanted), name
    assert 0.05 < share < 0.2
    assert all(solved.summary(disc).measures[name].error > 0 for name in theirs)


def test_on_surfaces_cut_along_random_tetrahedra_an_error_is_twice_the_distance(head, target):
    places = np.random.default_rng(0).uniform(-80, 80, (2500, 3))
    tets = Delaunay(places).simplices
    turned = np.linalg.det(places[tets[:, 1:]] - places[tets[:, :1]]) < 0
    tets[turned] = tets[turned][:, [0, 1, 3, 2]]
    tissue = np.where(np.linalg.norm(places[tets].mean(axis=1), axis=1) < 70, 2, 3)
    jagged = HeadMesh(places, tets.astype(np.int32), tissue.astype(np.uint16))
    assert 1.8 < errors.unseen(jagged) < 2.6
    assert 1.8 < errors.unseen(jagged, target) < 2.6
    assert 1.0 < errors.unseen(head, target) < 1.02


@pytest.mark.parametrize(
    ("rule", "parts"), [(errors._IN_TET, errors._PARTS_OF_TET), (errors._IN_TRIANGLE, errors._PARTS_OF_TRIANGLE)]
)
def test_places_within_few_elements_are_many_and_a_rule_for_quadratics(rule, parts):
    corners = rule.shape[1]
    dense = errors._places(rule, parts, 100)
    assert 100 * len(dense) >= errors._PLACES
    assert len(errors._places(rule, parts, errors._PLACES)) == len(rule)
    for places in (rule, dense):
        # Exact means of products of barycentric coordinates; Holand and Bell 1969.
        exact = (1 + np.eye(corners)) / (corners * (corners + 1))
        assert places.T @ places / len(places) == pytest.approx(exact)
    assert dense.min() > 0
    assert len(np.unique(dense.round(9), axis=0)) == len(dense)


def test_a_maximum_is_compared_with_the_opinion_at_its_own_place(head, target, field):
    """An opinion that is nine times too large in one tetrahedron says of the maximum only what it is there."""
    tets = target.tets(head)
    size, volume = np.linalg.norm(field.in_tets(tets), axis=1), head.volumes[tets]

    @dataclass(frozen=True)
    class Spiky:
        tet: int

        def at(self, tets, weights):
            return np.where(tets == self.tet, 9.0, 1.0)[:, None] * field.in_tets(tets)

    for place, off in ((np.argmin(size), 0.0), (np.argmax(size), 8 * size.max())):
        other = replace(field, consult=lambda place=place: Spiky(tets[place]))
        share = 64 * size[place] ** 2 * volume[place] / (size**2 @ volume)
        wanted = errors.unseen(head, target) * np.hypot(off, share * size.max())
        assert other.summary(target).measures["max_magnitude"].error == pytest.approx(wanted)


def test_errors_grow_with_the_drive(field, target):
    one, three = field.summary(target), (-3.0 * field).summary(target)
    for name in ("mean_magnitude", "p99_magnitude", "across", "peak"):
        assert three.measures[name].error == pytest.approx(3 * one.measures[name].error, rel=1e-6)
    for name in ("angle", "focality_50", "mean_magnitude_per_drive"):
        assert three.measures[name].error == pytest.approx(one.measures[name].error, rel=1e-6)


def test_errors_are_estimated_when_they_are_asked_for(field, target):
    def never():
        raise AssertionError

    summary = replace(field, consult=never).summary(target)
    assert summary["mean_magnitude"] > 0
    assert summary.to_dict()["peak"] > 0
    with pytest.raises(AssertionError):
        _ = summary.measures
    assert replace(field, consult=None).summary(target).measures["mean_magnitude"].error is None


def test_refining_at_the_target_leaves_less_error_and_says_what_came_from_where(head, target, pose, field, one_thread):
    sim = Simulator(head, solver="multigrid", refine=target)
    assert np.array_equal(sim.head.tissue, head.tissue[sim.parents])
    assert np.bincount(sim.parents, sim.head.volumes) == pytest.approx(head.volumes)
    finer = sim.solve(COIL, pose)
    assert len(finer.e) == len(sim.head.tets) > len(head.tets)
    near = np.linalg.norm(head.barycenters - target.center_mm, axis=1) < 6
    places = head.barycenters[near & (head.tissue == 2)]
    truth = closed_form(COIL, pose, places, 1e6)
    assert np.linalg.norm(finer.at(places) - truth) < 0.7 * np.linalg.norm(field.at(places) - truth)


def test_second_order_has_errors_too(target, pose, one_thread):
    coarse = sphere_head(edge_mm=16.0)
    for order, most in ((1, 0.2), (2, 0.05)):
        mean = Simulator(coarse, order=order).solve(COIL, pose).summary(target).measures["mean_magnitude"]
        assert 0 < mean.error < most * mean.value


def test_a_mesh_too_coarse_for_its_question_says_so():
    def said(error):
        values = {"mean_magnitude": 1.0, "p99_magnitude": 2.0}
        return Summary(values, errors=lambda _: {"mean_magnitude": error, "p99_magnitude": 0.01}).advice

    assert said(0.01) == ""
    wanted = "too coarse at the target: its mean |E| in the target is 1.00 ± 0.08 V/m (mesh), uncertain by 8%"
    assert wanted in said(0.08)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.7934, 0.0312, "0.79 ± 0.03 V/m (mesh)"),
        (0.7934, 0.0123, "0.793 ± 0.012 V/m (mesh)"),
        (123.4, 21.0, "123 ± 21 V/m (mesh)"),
        (0.7934, 1e-9, "0.7934 ± 0.0000 V/m (mesh)"),
        ((1.0, 2.0, -3.25), 0.4, "(1.0, 2.0, -3.2) ± 0.4 V/m (mesh)"),
        (0.79344, None, "0.7934 V/m"),
        (None, None, "n/a"),
    ],
)
def test_values_are_written_no_finer_than_they_are_known(value, error, text):
    assert str(Measured(value, "V/m", "", error)) == text
