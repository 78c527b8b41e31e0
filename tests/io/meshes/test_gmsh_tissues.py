"""What a Gmsh file says of tissues is found whoever wrote it, and what it leaves open or contradicts is asked for."""

import struct

import meshio
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from efield.ground.errors import EfieldWarning, FileFormatError
from efield.io.load import load_head
from efield.io.meshes import gmsh
from efield.io.meshes.mesh_files import read_head

CORNERS = [(0, 0, 0), (50, 0, 0), (0, 50, 0), (0, 0, 50), (0, 0, -50), (-50, 0, 0)]
#: Three tetrahedra, node numbers from 1, one in each of three entities.
TETS = [(1, 2, 3, 4), (1, 3, 2, 5), (1, 4, 3, 6)]


def msh_41(*, entities=(7, 8, 9), volumes=None, parts=None, names=None, binary=False, data=""):
    """A 4.1 file: volumes {number: groups} in $Entities; parts {number: (whole, groups)} in $PartitionedEntities."""
    if binary:
        i, z, d = (lambda *v, c=c: struct.pack(f"<{len(v)}{c}", *v) for c in "iQd")
        start = b"$MeshFormat\n4.1 1 8\n" + i(1) + b"\n$EndMeshFormat\n"
    else:
        i = z = d = lambda *v: (" ".join(map(str, v)) + " ").encode()
        start = b"$MeshFormat\n4.1 0 8\n$EndMeshFormat\n"
    box, sections = d(-50.0, -50.0, -50.0, 50.0, 50.0, 50.0), {}
    if names is not None:
        lines = [str(len(names)), '2 5 "csf"', *(f'3 {number} "{name}"' for number, name in names.items())]
        sections[b"PhysicalNames"] = "\n".join(lines).encode()
    if volumes is not None:
        sections[b"Entities"] = z(1, 0, 0, len(volumes)) + i(4) + d(0.5, 0.0, 0.0) + z(0)
        for number, groups in volumes.items():
            sections[b"Entities"] += i(number) + box + z(len(groups)) + i(*groups) + z(1) + i(3)
    if parts is not None:
        # Two partitions, one ghost entity; a point and a face between partitions, which is a part of a volume.
        sections[b"PartitionedEntities"] = z(2, 1) + i(20, 1) + z(1, 0, 1, len(parts))
        sections[b"PartitionedEntities"] += i(9, 0, 4) + z(1) + i(1) + d(0.5, 0.0, 0.0) + z(0)
        sections[b"PartitionedEntities"] += i(5, 3, 1) + z(2) + i(1, 2) + box + z(0) + z(0)
        for number, (whole, groups) in parts.items():
            head = i(number, 3, whole) + z(1) + i(2) + box + z(len(groups)) + i(*groups)
            sections[b"PartitionedEntities"] += head + z(2) + i(5, -6)
    sections[b"Nodes"] = z(1, 6, 1, 6) + i(3, 1, 0) + z(6) + z(1, 2, 3, 4, 5, 6)
    sections[b"Nodes"] += b"".join(d(*map(float, corner)) for corner in CORNERS)
    sections[b"Elements"] = z(3, 3, 1, 3)
    for k, entity in enumerate(entities):
        sections[b"Elements"] += i(3, entity, 4) + z(1) + z(k + 1, *TETS[k])
    text = b"".join(b"$" + k + b"\n" + v + b"\n$End" + k + b"\n" for k, v in sections.items())
    return start + text + data.encode()


def element_data(name, values):
    rows = "".join(f"{k} {value}\n" for k, value in enumerate(values, start=1))
    return f'$ElementData\n1\n"{name}"\n1\n0.0\n3\n0\n1\n{len(values)}\n{rows}$EndElementData\n'


@pytest.fixture
def tissues(tmp_path):
    """The tissues of a file of these bytes."""

    def read(data, tags=None):
        (tmp_path / "a.msh").write_bytes(data)
        return gmsh.read_mesh(tmp_path / "a.msh", tags).tissue.tolist()

    return read


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("own", [True, False])
def test_parts_of_a_partitioned_mesh_are_what_their_whole_is(tmp_path, binary, own):
    """Parts may be numbered like volumes, and say their groups again or leave them to the whole."""
    groups = {1: (2,), 2: (5,)}
    parts = {k: (whole, groups[whole] if own else ()) for k, whole in ((2, 1), (3, 1), (4, 2))}
    data = msh_41(entities=(2, 3, 4), volumes=groups, parts=parts, binary=binary)
    (tmp_path / "a.msh").write_bytes(data)
    mesh = gmsh.read_mesh(tmp_path / "a.msh")
    assert_array_equal(mesh.tissue, [2, 2, 5])
    assert_array_equal(mesh.tet_entities, [1, 1, 2])


def test_a_partitioned_sphere_of_gmsh_has_five_tissues(foreign):
    head = load_head(foreign("s_part41.msh"))
    assert head.tags == (1, 2, 3, 4, 5)
    inner = 0.0
    for tag, radius in enumerate((60.0, 64.0, 70.0, 78.0, 86.0), start=1):
        # Flat triangles inside a sphere: 1 % of the volume within it is missing at this edge length.
        assert head.tissue_volume_mm3(tag) == pytest.approx(4 / 3 * np.pi * (radius**3 - inner**3), rel=0.02)
        inner = radius


def test_names_of_groups_decide(tissues):
    volumes = {7: (1,), 8: (2,), 9: (3,)}
    assert tissues(msh_41(volumes=volumes, names={1: "white_matter", 2: "GM", 3: "csf"})) == [1, 2, 3]
    with pytest.warns(EfieldWarning, match=r"1 'skin' is tag 5, 2 'Skull' is tag 4, 3 'grey matter' is tag 2"):
        assert tissues(msh_41(volumes=volumes, names={1: "skin", 2: "Skull", 3: "grey matter"})) == [5, 4, 2]


def test_names_that_say_nothing_are_no_contradiction_and_others_are(tissues):
    volumes = {7: (1,), 8: (2,), 9: (42,)}
    assert tissues(msh_41(volumes=volumes, names={1: "tissue 1", 42: "lesion", 60: "unused"})) == [1, 2, 42]
    wrong = msh_41(volumes=volumes, names={1: "WM", 2: "tumor"})
    with pytest.raises(FileFormatError, match="group 2 is named 'tumor', and tag 2 is gray matter"):
        tissues(wrong)
    assert tissues(wrong, {1: 1, 2: 42, 42: "csf"}) == [1, 42, 3]
    named = msh_41(volumes=volumes, names={1: "core", 2: "tumor", 42: "rest"})
    assert tissues(named, {"core": "WM", "tumor": 42, "rest": "skin"}) == [1, 42, 5]


def test_a_file_without_groups_is_asked_for_its_tissues(tissues):
    """Of meshio: the cells' tags are lost, and one entity is left."""
    lost = msh_41(entities=(2, 2, 2))
    with pytest.raises(FileFormatError, match=r"3 of 3 are in no physical group .*volumes 2.*--tags NUMBER=TISSUE"):
        tissues(lost)
    assert tissues(lost, {2: "scalp"}) == [5, 5, 5]
    with pytest.raises(FileFormatError, match="2 of 3 are in no physical group"):
        tissues(msh_41(volumes={7: (2,), 8: (), 9: ()}))
    with pytest.raises(FileFormatError, match=r"volumes 7, 8, 99"):
        tissues(msh_41(entities=(7, 8, 99)))
    with pytest.warns(EfieldWarning, match=r"numbers of its volumes \(1, 2, 5\) are taken for tissues"):
        assert tissues(msh_41(entities=(1, 2, 5))) == [1, 2, 5]
    assert tissues(msh_41(entities=(1, 2, 5)), "gmsh:geometrical") == [1, 2, 5]


@pytest.mark.parametrize("volumes", [None, {7: (1,), 8: (1,), 9: (1,)}])
def test_an_array_of_tissues_is_found(tissues, volumes):
    assert tissues(msh_41(volumes=volumes, data=element_data("tissue", [2, 3, 5]))) == [2, 3, 5]


def test_an_array_of_tissues_that_contradicts_the_groups_is_asked_about(tissues, tmp_path):
    data = msh_41(volumes={7: (1,), 8: (2,), 9: (3,)}, data=element_data("tissue", [5, 4, 2]))
    with pytest.raises(FileFormatError, match="'tissue' and 'gmsh:physical' differ"):
        tissues(data)
    assert tissues(data, "tissue") == [5, 4, 2]
    assert tissues(data, "gmsh:physical") == [1, 2, 3]
    # What was decided stays decided when the mesh is written again.
    gmsh.write_mesh(tmp_path / "b.msh", gmsh.read_mesh(tmp_path / "a.msh", "tissue"))
    assert gmsh.read_mesh(tmp_path / "b.msh").tissue.tolist() == [5, 4, 2]


@pytest.mark.parametrize("form", ["gmsh", "gmsh22"])
def test_cell_arrays_that_meshio_writes_are_found(tmp_path, mesh, form):
    theirs = meshio.Mesh(mesh.points, [("tetra", mesh.tets)], cell_data={"tissue": [mesh.tissue.astype(float)]})
    meshio.write(tmp_path / "a.msh", theirs, file_format=form, binary=True)
    assert_array_equal(read_head(tmp_path / "a.msh").tissue, mesh.tissue)
