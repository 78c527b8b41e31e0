"""Every object a user meets says what it is in a few lines, quickly, and as a table in a notebook."""

import copy
import pickle
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from efield.coils import stimulators
from efield.coils.casing import Casing
from efield.coils.catalog import load_named
from efield.coils.compressed import compress
from efield.coils.drive import Drive
from efield.coils.model import Coil, SampledField
from efield.coils.winding import Winding
from efield.dosing.dose import dose
from efield.dosing.feasibility import feasibility
from efield.dosing.protocols import list_protocols, protocol
from efield.dosing.safety import safety
from efield.dosing.site import DoseSite
from efield.ground.card import MOST_CHARACTERS, MOST_LINES
from efield.ground.pose import Pose
from efield.head.conductivity import Conductivity
from efield.head.landmarks import Fiducials
from efield.head.mesh import HeadMesh
from efield.head.mni import AffineMap
from efield.head.surface import TriangleSurface, cortex, scalp
from efield.head.tensor_field import TensorField
from efield.io.eeg_positions import CapFile
from efield.io.poses.pose_table import PoseTable
from efield.sweeping.grid import PlacementGrid
from efield.targeting.pose_check import PoseCheck, Reading
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target
from efield.viz.map_panels import BestOfPositions

LONG = "<script>alert(1)</script>\n" * 40
POSE = Pose.from_axes((0, 0, 92), (0, 1, 0), (0, 0, -1))
TENSORS = TensorField(np.tile([1e-3, 0, 0, 1e-3, 0, 1e-3], (4, 4, 4, 1)), np.eye(4))


def hostile_coil():
    return Coil(LONG, load_named("d70").sources, citation=LONG, max_didt=1e8)


def alone():
    """Objects that need no head."""
    coil = load_named("d70")
    yield from (
        POSE,
        coil,
        hostile_coil(),
        coil.sources[0],
        Casing(np.eye(3), np.array([[0, 1, 2]])),
        Drive(coil, POSE),
        Winding(56, 87, 9, 1.75, 6),
    )
    yield Coil.from_dipoles([[0, 0, -10]], [[0, 0, 1]]).sources[0]
    yield SampledField(np.eye(4), np.zeros((2, 2, 2, 3)))
    yield from (stimulators.load_stimulator(name) for name in stimulators.names())
    yield from (Target.sphere(center_mm=(1, 2, 3)), Target(LONG, (1, 2, 3), direction=(0, 1, 0), note=LONG))
    yield from (Conductivity(), Conductivity().with_tensors(TENSORS), TENSORS)
    yield from (Conductivity().with_tensors(TENSORS).anisotropy, AffineMap(np.eye(4), LONG))
    yield Fiducials((0, 90, 0), (0, -90, 0), (-80, 0, 0), (80, 0, 0))
    yield from (PlacementGrid(), PlacementGrid(angles_deg=tuple(np.linspace(0, 179, 1000))))
    yield PoseTable([POSE] * 3, [LONG] * 3, {"didt": [1e6] * 3}, said=LONG, notes=[LONG])
    yield PoseCheck(np.ones(1), np.ones(1), ("left",), np.ones(1, bool), (Reading(LONG, LONG, 1.0, 0.0),), (LONG,))
    yield from (protocol(name) for name in list_protocols())
    yield from (protocol("P20").trains, safety("P20"), safety("P18"), feasibility("P20", 70, "rapid2", "twin"))
    yield from (DoseSite(1.0, measure=LONG), DoseSite(1.0, coil=LONG), dose(50, 1.0, DoseSite(0.1, error=0.1)))
    yield from (TriangleSurface(np.eye(3), np.array([[0, 1, 2]])), CapFile(Path("a" * 900) / "cap.csv"))


@pytest.fixture(scope="module")
def of_a_head(head, sim, coil, target, by_axes):
    """Objects on a head."""
    field = sim.solve_together([Drive(coil, POSE), *[Drive(hostile_coil(), POSE, -2e6)] * 20])
    mapped = HeadMesh(head.points, head.tets, head.tissue, mni=AffineMap(np.eye(4), LONG), caps=(CapFile(Path("c")),))
    surface = field.on_surface(cortex(head))
    placements = PlacementGrid(radius_mm=5, angles_deg=(0, 45)).on(head, target, coil)
    return [head, mapped, sim, field, field.recovered, surface, scalp(head), placements, by_axes, compress(coil)]


@pytest.fixture(scope="module")
def of_a_basis(basis, unseen_pose):
    """A basis and its parts."""
    field = basis.field(unseen_pose)
    return [basis, basis.model, basis.certificate, basis.outputs, basis.patch, field]


@pytest.fixture(scope="module")
def unseen_pose(basis, head, target, coil):
    return basis.patch.poses(1, (7, 7), head, coil)[0]


class Tags(HTMLParser):
    """Tags of a page."""

    def __init__(self, html):
        super().__init__()
        self.found = set()
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)


def check(thing):
    before = set(vars(thing)) if hasattr(thing, "__dict__") else set()
    start = time.process_time()
    text, html = repr(thing), thing._repr_html_()
    assert time.process_time() - start < 0.2
    assert len(text) <= MOST_CHARACTERS
    assert 1 <= len(text.splitlines()) <= MOST_LINES
    assert text.startswith(type(thing).__name__)
    assert "object at 0x" not in text
    assert Tags(html).found <= {"table", "caption", "tbody", "tr", "th", "td"}
    # Nothing that is computed at first use has been computed to be shown.
    assert not before or set(vars(thing)) == before


def test_objects_without_a_head_show_short_faces():
    for thing in alone():
        check(thing)


def test_objects_on_a_head_show_short_faces(of_a_head):
    for thing in of_a_head:
        check(thing)


def test_a_basis_and_its_parts_show_short_faces(of_a_basis):
    for thing in of_a_basis:
        check(thing)


def test_a_field_says_what_it_is_of(sim, coil):
    text = repr(sim.solve(coil, POSE, -2e6))
    for words in (coil.name, "-2 A/us", "(0.0, 0.0, 92.0) mm", f"{len(sim.head.tets):,} tetrahedra", "V/m"):
        assert words in text


def test_a_map_of_a_sweep_shows_a_short_face():
    check(BestOfPositions(*np.zeros((6, 1000))))


def copies(thing):
    """What comes back from another process, and a deep copy."""
    return pickle.loads(pickle.dumps(thing)), copy.deepcopy(thing)


def test_objects_without_a_head_can_be_pickled_and_copied():
    for thing in alone():
        for again in copies(thing):
            assert repr(again) == repr(thing)


@pytest.mark.parametrize("order", [1, 2])
def test_a_field_and_its_multiples_come_back_from_another_process(head, coil, target, order):
    field = Simulator(head, order=order).solve(coil, POSE)
    whole = field.summary(target)
    assert whole.measures["mean_magnitude"].error > 0
    for factor, summary in ((1, whole), (2, (2 * field).summary(target))):
        for again in copies(summary):  # of a field whose recovered values and second opinion are known
            for name, found in whole.measures.items():
                if found.unit == "V/m":
                    assert again.measures[name].value == pytest.approx(factor * found.value, rel=1e-12)
                    assert again.measures[name].error == pytest.approx(factor * found.error, rel=1e-9)
    twice = pickle.loads(pickle.dumps(2 * field))
    assert np.array_equal(twice.recovered.field, 2 * field.recovered.field)


def test_a_field_of_a_basis_comes_back_from_another_process(basis, unseen_pose):
    field = basis.field(unseen_pose)
    for again in copies(field):
        assert np.array_equal(again.recovered, field.recovered)
