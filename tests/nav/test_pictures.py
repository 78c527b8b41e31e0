"""Pictures hold the field that the engine has: at the cortex's vertices, and in each voxel's tetrahedron."""

import struct

import numpy as np
import pytest

from efield.head.locate import Locator
from efield.head.tissue import GRAY_MATTER
from efield.nav import openigtlink as igtl
from efield.nav import pictures
from efield.nav.engine import LiveEngine
from efield.nav.openigtlink import Message
from efield.nav.pictures import Shapes


@pytest.fixture(scope="module")
def field(sim, coil, pose):
    return sim.solve(coil, pose, 2e6)


def parsed(content):
    """Points, triangles and the one attribute of a POLYDATA, read by the format's table."""
    counts = struct.unpack(">10I", content[:40])
    points, triangles = counts[0], counts[5]
    at = 40 + 12 * points
    cells = np.frombuffer(content[at : at + 16 * triangles], ">u4").reshape(-1, 4)
    at += 16 * triangles
    assert content[at : at + 12] == bytes([0, 1]) + struct.pack(">I", points) + b"magnE\0"
    found = np.frombuffer(content[40 : 40 + 12 * points], ">f4").reshape(-1, 3)
    assert (cells[:, 0] == 3).all()
    return found, cells[:, 1:], np.frombuffer(content[at + 12 :], ">f4")


@pytest.mark.parametrize("kind", ["reduced", "full"])
def test_the_cortex_has_the_recovered_field_of_its_gray_side(basis, sim, coil, target, pose, field, kind):
    engine = LiveEngine(basis if kind == "reduced" else sim, coil, target, 2e6)
    points, triangles, values = parsed(Shapes(engine).content("POLYDATA", pose))
    nodes = np.array([np.linalg.norm(sim.head.points - point, axis=1).argmin() for point in points])
    expected = np.linalg.norm(field.recovered.on_nodes(nodes, GRAY_MATTER), axis=1)
    # The basis is certified to 1 % of the field's norm; single nodes may miss by a few times that.
    tolerance = 1e-6 if kind == "full" else 4 * basis.certificate.field.max
    assert np.abs(values - expected).max() < tolerance * expected.max()
    assert triangles.max() < len(points)
    assert len(triangles) > 20


@pytest.mark.parametrize("kind", ["reduced", "full"])
def test_a_voxel_has_the_field_of_its_tetrahedron(basis, sim, coil, target, pose, field, kind):
    engine = LiveEngine(basis if kind == "reduced" else sim, coil, target, 2e6)
    content = Shapes(engine, 4.0).content("IMAGE", pose)
    head = struct.unpack(">HBBBB3H12f6H", content[:72])
    shape, axes, middle = head[5:8], np.array(head[8:17]).reshape(3, 3).T, np.array(head[17:20])
    values = np.frombuffer(content[72:], ">f4").reshape(shape, order="F")
    np.testing.assert_allclose(axes, 4 * np.eye(3))
    filled = np.argwhere(values > 0)
    centers = middle + (filled - (np.array(shape) - 1) / 2) @ axes.T
    tets, _ = Locator(sim.head).find(centers)
    expected = np.linalg.norm(field.in_tets(tets), axis=1)
    tolerance = 1e-5 if kind == "full" else 4 * basis.certificate.field.max
    assert np.abs(values[tuple(filled.T)] - expected).max() < tolerance * expected.max()
    assert len(filled) > 100


def test_an_image_too_large_for_a_message_gets_larger_voxels_and_says_so(engine, pose, monkeypatch):
    monkeypatch.setattr(pictures, "_MOST_BYTES", 70_000)
    notes = []
    shapes = Shapes(engine, 0.5, notes.append)
    size = struct.unpack(">3H", shapes.content("IMAGE", pose)[6:12])
    finer = np.array(size) * shapes.spacing_mm / (shapes.spacing_mm - 0.1)
    assert 4 * np.prod(size) <= 70_000 < 4 * np.prod(finer + 1)
    assert notes[0].startswith(f"voxels of images are {shapes.spacing_mm:g} mm wide instead of 0.5")
    shapes.content("IMAGE", pose)
    assert len(notes) == 1


def test_clients_get_pictures_when_they_ask(server, connect, pose, as_transform):
    client = connect(server.port)
    client.send(as_transform(pose.matrix))
    assert client.receive()[0] == "STRING"
    client.send(igtl.packed(Message("GET_POLYDATA", "")))
    kind, device, _, body = client.receive()
    assert (kind, device) == ("POLYDATA", "efield")
    assert len(parsed(body)[2]) > 10
    client.send(igtl.packed(Message("STT_IMAGE", "")) + as_transform(pose.matrix, version=2, number=9))
    kinds = [client.receive()[0] for _ in range(2)]
    assert kinds == ["STRING", "IMAGE"]
