"""Shared by all tests: one thread, and the small sphere that bases, reciprocity and sweeps are tried on."""

from pathlib import Path

import numba
import pytest

from efield.basis.reduced_basis import ReducedBasis
from efield.fem.problem import FemProblem
from efield.head.spheres import sphere_head
from efield.reciprocity.reciprocal import reciprocal
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target, m1_hand
from tests import small

#: Tests that share the sphere, the basis and the adjoint solves below: in one process these are made once.
_SHARING = (
    "basis",
    "reciprocity",
    "sweeping",
    "nav",
    "explorer",
    "planning",
    "test_view.py",
    "test_measures.py",
    "test_held.py",
    "test_naming.py",
    "test_regions.py",
    "test_faces.py",
    "test_dose.py",
)

#: Tests of finite elements that share a sphere of 4.5 or 9 mm edges, solved.
_SPHERES = ("test_accuracy.py", "test_recovery.py", "test_quadratic.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """In several processes a file is one's, and so are all files that share what is slow to make."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFixtures(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = Path(nodeid.split("::", 1)[0])
            if path.name in _SPHERES:
                return "spheres"
            return "sharing" if {path.parent.name, path.name} & set(_SHARING) else str(path)

    return ByFixtures(config, log)


#: A small region, so that few solves are enough.
SMALL = {"radius_mm": 8.0, "tilt_deg": 4.0, "distance_mm": (3.0, 6.0), "region_radius_mm": 20.0, "tol": 0.01}


@pytest.fixture(scope="module")
def one_thread():
    """Heads as small as these gain nothing from threads, and lose much where other programs are busy."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)


@pytest.fixture
def small_pictures(monkeypatch):
    """What draws without being asked for a size draws few pixels; real sizes are those of the tests of `efield.viz`."""
    small.draw_small(monkeypatch)


@pytest.fixture(scope="session")
def head():
    return sphere_head((70.0, 73.0, 79.0, 85.0), (2, 3, 4, 5), edge_mm=12.0)


@pytest.fixture(scope="session")
def named_heads():
    """What `load_head` gives under `small_names`."""
    return small.named_heads()


@pytest.fixture
def small_names(named_heads, monkeypatch):
    """`load_head`, `load_coil` and `ReducedBasis.build` as people call them, with small answers."""
    for thing, name, value in small.replacements(named_heads, small.named_coils()):
        monkeypatch.setattr(thing, name, value)


@pytest.fixture(scope="session")
def coil():
    return small.light_coil()


@pytest.fixture(scope="session")
def target(head):
    hand = m1_hand(head)
    return Target("hand", hand.center_mm, 12.0, direction=hand.direction)


@pytest.fixture(scope="session")
def sim(head):
    simulator = Simulator(head, tol=1e-9)
    # Bits are compared below, and the direct solver does not promise the same ones twice.
    simulator.problem = FemProblem(head, simulator.problem.sigma, tol=1e-9, solver="multigrid")
    return simulator


@pytest.fixture(scope="session")
def build(sim, coil, target):
    """Builds the small basis, with options."""
    return lambda **options: ReducedBasis.build(sim, coil, target, **{**SMALL, "max_solves": 64, **options})


@pytest.fixture(scope="session")
def solves(tmp_path_factory):
    """Checkpoint of the shared basis: a build that differs in its tolerance only need not solve again."""
    return tmp_path_factory.mktemp("solves") / "run"


@pytest.fixture(scope="session")
def basis(build, solves):
    return build(checkpoint=solves)


@pytest.fixture(scope="session")
def by_axes(sim, target):
    """Three adjoint solves."""
    return reciprocal(sim, target, axes=True)


@pytest.fixture(scope="session")
def one(sim, target):
    """One adjoint solve, along the target's direction: what it stores for fast answers takes the longest of all."""
    return reciprocal(sim, target)
