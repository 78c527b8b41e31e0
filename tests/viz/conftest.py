"""A small nested head with a smooth made-up field, a figure-8 coil over it and a target below the coil."""

from itertools import permutations

import numpy as np
import pytest

from efield.coils.model import Coil, Segments
from efield.ground.pose import Pose
from efield.head.locate import locator_of
from efield.head.mesh import HeadMesh
from efield.targeting.field import EField
from efield.targeting.targets import Target

HALF_MM = 50.0

#: Outer radius of each tissue, mm.
RADII = {1: 24.0, 2: 32.0, 3: 36.0, 4: 42.0, 5: 49.0}


class Recovered:
    """Stands in for the recovered field: a given vector field, nan at nodes outside the tissue."""

    def __init__(self, head, vectors):
        self.head = head
        self.vectors = vectors

    def at_nodes(self, tag):
        out = np.full((len(self.head.points), 3), np.nan)
        own = np.unique(self.head.tets[self.head.tissue == tag])
        out[own] = self.vectors[own]
        return out

    def on_nodes(self, nodes, tag):
        return self.at_nodes(tag)[nodes]

    def scaled(self, factor):
        return Recovered(self.head, factor * self.vectors)

    def at(self, points_mm):
        tet, weights = locator_of(self.head).find(points_mm)
        return np.einsum("nc,ncd->nd", weights, self.vectors[self.head.tets[tet]])  # nan outside, as the weights

    def in_tets(self, tets):
        return self.vectors[self.head.tets[tets]].mean(axis=1)


def box(cells, half_mm=HALF_MM):
    """Points and tets of a cube cut into cells, each into the six tetrahedra around its diagonal."""
    line = np.linspace(-half_mm, half_mm, cells + 1)
    points = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
    strides = np.array([(cells + 1) ** 2, cells + 1, 1])
    first = (np.stack(np.meshgrid(*[np.arange(cells)] * 3, indexing="ij"), axis=-1) @ strides).ravel()
    tets = []
    for order in permutations(range(3)):
        path = np.concatenate([[0], np.cumsum(strides[list(order)])])
        corners = first[:, None] + path
        even = np.linalg.det(np.eye(3)[list(order)]) > 0
        tets.append(corners if even else corners[:, [0, 2, 1, 3]])
    return points, np.concatenate(tets)


def make_head(cells=14, tags=RADII):
    """A ball of nested tissues, jagged at the borders."""
    points, tets = box(cells)
    radius = np.linalg.norm(points[tets].mean(axis=1), axis=1)
    inside = radius < max(RADII.values())
    tissue = np.array(list(RADII))[np.searchsorted(list(RADII.values()), radius[inside])]
    kept = np.isin(tissue, list(tags))
    used, renumbered = np.unique(tets[inside][kept], return_inverse=True)
    return HeadMesh(points=points[used], tets=renumbered.reshape(-1, 4), tissue=tissue[kept])


def make_coil():
    turn = np.linspace(0, 2 * np.pi, 49)
    rings = [
        np.column_stack([side * 20 + r * np.cos(side * turn), r * np.sin(side * turn), np.full(49, -6.0)])
        for side in (-1, 1)
        for r in (12, 15, 18)
    ]
    sources = Segments(np.concatenate([r[:-1] for r in rings]), np.concatenate([r[1:] for r in rings]))
    casing = np.array([[x, y, 0.0] for x in (-42, 42) for y in (-22, 22)])
    return Coil(name="small figure-8", sources=(sources,), windings=tuple(rings), casing_points_mm=casing)


def make_case(drive=1.0, tags=RADII):
    """(field, target, coil, pose): E along (1, 1, 0), strongest at the upper left of the gray matter."""
    head, coil = make_head(tags=tags), make_coil()
    outward = np.array([-0.6, 0.0, 0.8])
    pose = Pose.from_axes(54.0 * outward, (1.0, 1.0, 0.0), -outward)
    spot = 30.0 * outward

    def field_at(points):
        size = drive * np.exp(-(((points - spot) / 25.0) ** 2).sum(axis=1))
        return size[:, None] * np.array([1.0, 1.0, 0.0]) / np.sqrt(2)

    recovered = Recovered(head, field_at(head.points))
    field = EField(
        head=head,
        e=field_at(head.barycenters),
        didt=1e6 * drive,
        coil=coil,
        pose=pose,
        iterations=1,
        recover=lambda: recovered,
    )
    target = Target.sphere(center_mm=28.0 * outward, direction=(1.0, 1.0, 0.0), name="upper left", tags=tuple(tags)[:2])
    return field, target, coil, pose


@pytest.fixture(scope="session")
def halves():
    """A cube of 100 mm, white matter where x < 0 and gray matter elsewhere."""
    points, tets = box(6)
    return HeadMesh(points=points, tets=tets, tissue=np.where(points[tets].mean(axis=1)[:, 0] < 0, 1, 2))


@pytest.fixture(scope="session")
def brainless_case():
    """The case on a head of CSF, bone and scalp only."""
    return make_case(tags=(3, 4, 5))


@pytest.fixture(scope="session")
def case_switched_off():
    return make_case(drive=0.0)


@pytest.fixture(scope="session")
def case():
    return make_case()


@pytest.fixture
def no_gl(monkeypatch):
    monkeypatch.setenv("EFIELD_NO_GL", "1")
