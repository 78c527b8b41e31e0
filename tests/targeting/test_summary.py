"""Summaries of fields that are known by heart."""

import numpy as np
import pytest

from efield.coils.model import Coil
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh
from efield.head.spheres import sphere_head
from efield.targeting.field import EField
from efield.targeting.measures import MEASURES, weighted_percentile
from efield.targeting.summary import summarize
from efield.targeting.targets import Target

COIL = Coil.from_dipoles([[0, 0, -5.0]], [[0, 0, 1.0]], name="dot")

#: Volumes of tetrahedra whose center is inside a sphere miss those cut by it: about one edge of the surface.
CUT_ELEMENTS = 0.15


class Known:
    """A recovered field that is a given function of place."""

    def __init__(self, head, function):
        self.head, self.function = head, function

    def on_nodes(self, nodes, tag):
        return self.function(self.head.points[nodes])

    def at(self, points):
        return self.function(points)

    def in_tets(self, tets):
        return self.function(self.head.barycenters[tets])


@pytest.fixture(scope="module")
def head():
    return sphere_head((70.0, 73.0, 79.0, 85.0), (2, 3, 4, 5), edge_mm=6.0)


def field_of(head, function, didt=2e6):
    pose = Pose.from_axes((0, 0, 90), y=(0, 1, 0), z=(0, 0, -1))
    e = function(head.barycenters)
    return EField(head, e, didt, COIL, pose, iterations=1, recover=lambda: Known(head, function))


def uniform(vector):
    return lambda points: np.tile(np.array(vector, dtype=float), (len(points), 1))


def test_a_uniform_field_has_the_same_mean_maximum_and_percentile(head):
    target = Target.sphere(center_mm=(0, 0, 60), direction=(0, 1, 0))
    s = summarize(field_of(head, uniform((0, 3, 4))), target)
    for name in ("mean_magnitude", "max_magnitude", "p99_magnitude", "peak"):
        assert s[name] == pytest.approx(5)
    assert s["along"] == pytest.approx(3)
    assert s["angle"] == pytest.approx(np.degrees(np.arccos(0.6)))
    assert s["mean_magnitude_per_drive"] == pytest.approx(2.5)
    assert s["focality_50"] == pytest.approx(head.tissue_volume_mm3(2) / 1000)


def test_the_normal_component_is_positive_into_the_cortex(head):
    target = Target.sphere(center_mm=(0, 0, 70), radius_mm=12)
    s = summarize(field_of(head, uniform((0, 0, -2))), target)
    # Radial at the pole, 12 mm / 70 mm off at the rim.
    assert s["normal_in_p99"] == pytest.approx(2, rel=0.02)
    assert s["tangential_mean"] < 0.3
    assert summarize(field_of(head, uniform((0, 0, 2))), target)["normal_in_p99"] < 0


def test_focality_is_the_volume_above_the_share_of_the_peak(head):
    def decays(points):
        return np.column_stack([np.zeros((len(points), 2)), np.exp((points[:, 2] - 70) / 20)])

    s = summarize(field_of(head, decays), Target.sphere(center_mm=(0, 0, 60)))
    depth = -20 * np.log(0.5 * s["peak"])
    cap = np.pi * depth**2 * (3 * 70 - depth) / 3 / 1000
    assert s["focality_50"] == pytest.approx(cap, rel=CUT_ELEMENTS)
    assert s["focality_75"] < s["focality_50"]
    assert s["peak_place"][2] > 62


def test_distances_are_those_of_the_sphere(head):
    s = summarize(field_of(head, uniform((1, 0, 0))), Target.sphere(center_mm=(0, 0, 65)))
    assert s["scalp_cortex"] == pytest.approx(15, abs=0.5)
    assert s["target_depth"] == pytest.approx(20, abs=0.5)
    assert s["coil_target"] == pytest.approx(25)


def test_percentiles_weigh_by_volume():
    assert weighted_percentile(np.array([1.0, 2, 3]), np.array([1.0, 1, 98]), 50) == 3
    assert weighted_percentile(np.array([3.0, 1, 2]), np.array([0.0, 99, 1]), 50) == 1
    assert weighted_percentile(np.array([1.0, 2]), np.array([1.0, 1]), 100) == 2


def test_a_summary_reads_like_a_dict_and_prints(head):
    s = summarize(field_of(head, uniform((1, 0, 0))), Target.sphere(center_mm=(0, 0, 60)))
    assert "mean_magnitude" in dict(s)
    assert all(one.meaning in str(s) for one in map(MEASURES.get, s))
    assert len(repr(s)) <= 400
    assert "mean_magnitude" in repr(s)
    assert s.to_json()["peak"]["unit"] == "V/m"
    assert s.text("peak_place").endswith("mm")
    assert s.to_dict() == dict(s)
    assert s.to_json()["peak"]["error"] is None  # a field that is known by heart has no second opinion
    table = s.to_dataframe()
    assert table.loc["peak", "value"] == s["peak"]
    assert list(table.columns) == ["value", "unit", "meaning", "error"]
    assert "<table" in s._repr_html_()


def test_no_drive_has_no_field_per_drive(head):
    s = summarize(field_of(head, uniform((0, 0, 0)), didt=0), Target.sphere(center_mm=(0, 0, 60)))
    assert s["mean_magnitude_per_drive"] is None


def test_no_field_has_no_place_of_its_peak_and_no_volume_above_it(head):
    s = summarize(field_of(head, uniform((0, 0, 0)), didt=0), Target.sphere(center_mm=(0, 0, 60)))
    assert s["peak"] == s["mean_magnitude"] == 0
    assert s["peak_place"] is s["focality_50"] is s["focality_75"] is None
    assert s.text("focality_50") == "n/a"


def test_a_head_without_gray_matter_is_refused(head):
    bone = HeadMesh(points=head.points, tets=head.tets, tissue=np.full(len(head.tets), 4))
    with pytest.raises(InputError, match="gray matter"):
        summarize(field_of(bone, uniform((1, 0, 0))), Target.sphere(center_mm=(0, 0, 60), tags=(4,)))
