"""Shared by the coil tests."""

import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from efield.ground.pose import Pose


@pytest.fixture(scope="session")
def origin():
    """The pose that leaves coil coordinates as they are."""
    return Pose(np.eye(4))


@pytest.fixture(scope="session")
def poses():
    """Hypothesis strategy: any rigid pose within half a meter."""

    def build(vector, center):
        matrix = np.eye(4)
        matrix[:3, :3] = Rotation.from_rotvec(vector).as_matrix()
        matrix[:3, 3] = center
        return Pose(matrix)

    triple = st.tuples(*[st.floats(-3, 3)] * 3)
    center = st.tuples(*[st.floats(-500, 500)] * 3)
    return st.builds(build, triple, center)


@pytest.fixture(scope="session")
def sphere_field():
    """E in a conducting sphere at the origin: Heller and van Hulsteyn, Biophys J 1992;63:129-138."""

    def of(points_mm, dipoles_mm, moments_am2, didt):
        r, r0 = points_mm[:, None] * 1e-3, dipoles_mm * 1e-3
        m = np.broadcast_to(moments_am2, (len(r), *moments_am2.shape))
        a_vector = r0 - r
        a = np.linalg.norm(a_vector, axis=-1, keepdims=True)
        big_r = np.linalg.norm(r0, axis=-1, keepdims=True)
        r0_a = (r0 * a_vector).sum(axis=-1, keepdims=True)
        f = a * (big_r * a + r0_a)
        grad = (a**2 / big_r + 2 * a + 2 * big_r + r0_a / a) * r0 - (a + 2 * big_r + r0_a / a) * r
        along = (m * grad).sum(axis=-1, keepdims=True)
        return -1e-7 * didt * ((f * np.cross(r, m) - along * np.cross(r, r0)) / f**2).sum(axis=1)

    return of
