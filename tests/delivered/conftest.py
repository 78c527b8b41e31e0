"""A recording on the small sphere: poses that wander over one place, with intensities."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from efield.ground.pose import Pose
from efield.io.poses.pose_table import PoseTable
from efield.targeting.placement import place_coil
from tests import small


@pytest.fixture(scope="session")
def coil():
    """The 70 mm figure-8 as twelve dipoles."""
    return small.named_coils()["d70"]


@pytest.fixture(scope="session")
def wandering(head, target, coil):
    """Poses around the one over the target: so many, within some mm, turned by so many degrees."""

    def make(count, reach_mm=15.0, turn_deg=90.0, seed=0):
        rng, base = np.random.default_rng(seed), place_coil(head, target, 45.0, 8.0, coil=coil)
        found = []
        for _ in range(count):
            matrix = base.moved((*rng.uniform(-reach_mm, reach_mm, 2), -rng.uniform(0.0, 4.0))).matrix.copy()
            angles = [rng.uniform(-turn_deg, turn_deg), *rng.uniform(-6.0, 6.0, 2)]
            matrix[:3, :3] = matrix[:3, :3] @ Rotation.from_euler("ZXY", angles, degrees=True).as_matrix()
            found.append(Pose(matrix))
        return found

    return make


@pytest.fixture(scope="session")
def recording(wandering):
    """Six pulses of different intensities."""
    rates = np.array([40e6, 80e6, 60e6, 50e6, -70e6, 90e6])
    return PoseTable(wandering(6), columns={"didt": rates, "time_s": np.arange(6.0)})
