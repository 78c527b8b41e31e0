"""Meshes in other programs' formats become the same head, and whatever goes wrong is one clear error."""

import subprocess
import sys
from contextlib import redirect_stderr
from dataclasses import replace
from io import StringIO

import meshio
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from efield.ground.errors import FileFormatError, InputError, MissingDependencyError
from efield.io.load import load_head
from efield.io.meshes import gmsh, meshio_child, other_meshes, vtu
from efield.io.meshes.tags import tissue_tags

#: The name under which each of meshio's writers keeps a number per cell.
WRITERS = {
    ".vtk": "tissue",
    ".mesh": "medit:ref",
    ".meshb": "medit:ref",
    ".bdf": "nastran:ref",
    ".vol": "netgen:index",
    ".avs": "avsucd:material",
    ".ele": "tetgen:ref",
    ".dat": "tissue",
    ".xdmf": "tissue",
}


@pytest.fixture
def without_child(monkeypatch):
    """meshio reads in this process, sooner; tests of every format, and of what the child is for, go without."""

    def run(command, **_):
        with redirect_stderr(StringIO()) as said:
            code = meshio_child.main(*command[3:])
        return subprocess.CompletedProcess(command, code, b"", said.getvalue().encode())

    monkeypatch.setattr(meshio_child, "limit_memory", lambda extra: None)
    monkeypatch.setattr(subprocess, "run", run)


def as_meshio(mesh, **arrays):
    return meshio.Mesh(mesh.points, [("tetra", mesh.tets)], cell_data={k: [np.asarray(v)] for k, v in arrays.items()})


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_head_that_was_written(tmp_path, mesh, suffix):
    if suffix == ".xdmf":
        pytest.importorskip("h5py")
    path = tmp_path / f"head{suffix}"
    mesh = replace(mesh, points=mesh.points + 5)  # meshio's writer of .bdf has no room for a minus sign
    as_meshio(mesh, **{WRITERS[suffix]: mesh.tissue}).write(path)
    head = load_head(path)
    assert_array_equal(head.tets, mesh.tets)
    assert_array_equal(head.tissue, mesh.tissue)
    assert_allclose(head.points, mesh.points, rtol=1e-6)  # some writers print 7 digits


def abaqus(mesh, names):
    """As Gmsh writes it: a block of elements for each tissue, then named sets of elements."""
    lines = ["*Heading", " head.inp", "*NODE"]
    lines += [f"{k}, {x!r}, {y!r}, {z!r}" for k, (x, y, z) in enumerate(mesh.points.tolist(), start=1)]
    for tag in np.unique(mesh.tissue):
        lines.append(f"*ELEMENT, type=C3D4, ELSET=Volume{tag}")
        lines += [f"{k + 1}, " + ", ".join(map(str, mesh.tets[k] + 1)) for k in np.flatnonzero(mesh.tissue == tag)]
    for tag, name in names.items():
        members = np.flatnonzero(mesh.tissue == tag) + 1
        lines += [f"*ELSET,ELSET={name}", *(f"{k}," for k in members)]
    return "\n".join([*lines, ""])


def nastran(mesh, form):
    """As Gmsh writes it: nodes and tetrahedra only, in free fields, in fields of 8, or nodes in fields of 16."""
    node = {
        "free": "GRID,{},0,{:.6g},{:.6g},{:.6g}",
        "8": "GRID    {:<8}0       {:<8.6g}{:<8.6g}{:<8.6g}",
        "16": "GRID*   {:<16}0               {:<16.9g}{:<16.9g}\n*       {:<16.9g}",
    }[form]
    tet = ",".join(["CTETRA", *["{}"] * 6]) if form == "free" else "CTETRA  " + "{:<8}" * 6
    lines = ["$ Created by Gmsh", *(node.format(k, *xyz) for k, xyz in enumerate(mesh.points.tolist(), start=1))]
    cells = zip(mesh.tissue.tolist(), (mesh.tets + 1).tolist(), strict=True)
    lines += [tet.format(k, tissue, *nodes) for k, (tissue, nodes) in enumerate(cells, start=1)]
    return "\n".join([*lines, "ENDDATA", ""])


@pytest.mark.usefixtures("without_child")
@pytest.mark.parametrize("form", ["free", "8", "16"])
def test_nastran_as_gmsh_writes_it_is_read(tmp_path, mesh, form):
    mesh = replace(mesh, points=np.round(mesh.points + 5, 2))
    (tmp_path / "head.bdf").write_text(nastran(mesh, form))
    head = load_head(tmp_path / "head.bdf")
    assert_array_equal(head.tets, mesh.tets)
    assert_array_equal(head.tissue, mesh.tissue)
    assert_allclose(head.points, mesh.points, rtol=1e-6)


@pytest.mark.usefixtures("without_child")
def test_binary_vtk_as_gmsh_writes_it_is_read(tmp_path, mesh):
    """Big-endian, no end of line behind the last value."""
    cells = np.column_stack([np.full(len(mesh.tets), 4), mesh.tets])
    parts = (
        (f"POINTS {len(mesh.points)} double\n", mesh.points.astype(">f8")),
        (f"\nCELLS {len(cells)} {cells.size}\n", cells.astype(">i4")),
        (f"\nCELL_TYPES {len(cells)}\n", np.full(len(cells), 10, ">i4")),
        (f"\nCELL_DATA {len(cells)}\nSCALARS CellEntityIds int 1\nLOOKUP_TABLE default\n", mesh.tissue.astype(">i4")),
    )
    data = b"# vtk DataFile Version 2.0\nhead, Created by Gmsh\nBINARY\nDATASET UNSTRUCTURED_GRID\n"
    (tmp_path / "head.vtk").write_bytes(data + b"".join(text.encode() + array.tobytes() for text, array in parts))
    head = load_head(tmp_path / "head.vtk")
    assert_array_equal(head.tets, mesh.tets)
    assert_array_equal(head.tissue, mesh.tissue)
    assert_array_equal(head.points, mesh.points)


def by_tissue(mesh):
    order = np.argsort(mesh.tissue, kind="stable")
    return mesh.tets[order], mesh.tissue[order]


@pytest.mark.usefixtures("without_child")
def test_the_sets_of_an_abaqus_file_as_gmsh_writes_it_are_tissues(tmp_path, mesh):
    path = tmp_path / "head.inp"
    path.write_text(abaqus(mesh, {1: "white_matter", 2: "gray_matter", 3: "csf"}))
    head = load_head(path)
    assert_array_equal(head.tets, by_tissue(mesh)[0])
    assert_array_equal(head.tissue, by_tissue(mesh)[1])


@pytest.mark.usefixtures("without_child")
def test_sets_with_other_names_are_listed_and_can_be_given_tissues(tmp_path, mesh):
    path = tmp_path / "head.inp"
    path.write_text(abaqus(mesh, {1: "WM", 2: "GM", 3: "fluid"}))
    with pytest.raises(FileFormatError, match=r"head\.inp.*groups WM, GM, fluid.*tags="):
        load_head(path)
    head = load_head(path, tags={"WM": 1, "GM": "gray matter", "fluid": "CSF"})
    assert_array_equal(head.tissue, by_tissue(mesh)[1])
    with pytest.raises(FileFormatError, match="16 of 48 are in none of WM, GM"):
        load_head(path, tags={"WM": 1, "GM": 2})


@pytest.mark.usefixtures("without_child")
def test_med_turns_tetrahedra_round_and_they_are_turned_back(tmp_path, mesh):
    pytest.importorskip("h5py")
    path = tmp_path / "head.med"
    file = meshio.Mesh(mesh.points, [("tetra", mesh.tets[:, [0, 2, 1, 3]])], cell_data={"cell_tags": [-mesh.tissue]})
    file.cell_tags = {-1: ["white_matter"], -2: ["gray_matter", "brain"], -3: ["CSF"]}
    file.write(path)
    head = load_head(path)
    assert_array_equal(head.tets, mesh.tets)
    assert_array_equal(head.tissue, mesh.tissue)


@pytest.mark.usefixtures("without_child")
def test_turned_tetrahedra_of_other_formats_stay_refused(tmp_path, mesh):
    path = tmp_path / "head.mesh"
    meshio.Mesh(mesh.points, [("tetra", mesh.tets[:, [0, 2, 1, 3]])], cell_data={"medit:ref": [mesh.tissue]}).write(
        path
    )
    with pytest.raises(FileFormatError, match="48 of 48 are flat or inverted"):
        load_head(path)


@pytest.mark.usefixtures("without_child")
@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, r"arrays \(none\)"),
        ({"material": 1}, "arrays material .*tags="),
        ({"tag": 1, "medit:ref": 2}, "'tag' and 'medit:ref' differ"),
        ({"tissue": 70000}, "integer tags from 0 to 65535"),
        ({"tissue": 0.5}, "whole"),
    ],
)
def test_a_file_that_leaves_the_tissues_in_doubt_says_what_it_has(tmp_path, mesh, arrays, message):
    path = tmp_path / "head.vtk"
    as_meshio(mesh, **{name: np.full(len(mesh.tets), value) for name, value in arrays.items()}).write(path)
    with pytest.raises(FileFormatError, match=message):
        load_head(path)


@pytest.mark.usefixtures("without_child")
def test_tags_name_the_array_or_renumber_it_in_every_reader(tmp_path, mesh):
    head = mesh.head()
    swapped = (head.tissue % 3 + 1).astype(np.int64)
    vtu.write_vtu(tmp_path / "a.vtu", head, cell_data={"other": swapped})
    gmsh.write_head(tmp_path / "a.msh", head, element_data={"other": swapped})
    as_meshio(mesh, tissue=mesh.tissue, other=swapped).write(tmp_path / "a.vtk")
    for name in ("a.vtu", "a.msh", "a.vtk"):
        assert_array_equal(load_head(tmp_path / name, tags="other").tissue, swapped)
        assert_array_equal(load_head(tmp_path / name, tags={1: 2, 2: 3, 3: "white matter"}).tissue, swapped)
        with pytest.raises(InputError, match="instead 3 are missing"):
            load_head(tmp_path / name, tags={1: 2, 2: 3})
        with pytest.raises(InputError, match=r"'nothing'.*other"):
            load_head(tmp_path / name, tags="nothing")


def test_tags_are_for_mesh_files():
    with pytest.raises(InputError, match="mesh files only"):
        load_head("sphere", tags="tissue")


def test_overlapping_groups_are_refused():
    groups = {"bone": np.array([0, 1]), "csf": np.array([1, 2])}
    with pytest.raises(InputError, match="'csf' are in another group too"):
        tissue_tags({}, groups, 3, None)


@pytest.mark.usefixtures("without_child")
def test_other_cells_and_meters_are_refused(tmp_path, mesh):
    hexahedra = meshio.Mesh(mesh.points, [("hexahedron", np.arange(8)[None])], cell_data={"tissue": [np.ones(1, int)]})
    hexahedra.write(tmp_path / "a.vtk")
    triangles = meshio.Mesh(mesh.points, [("triangle", mesh.triangles)])
    triangles.write(tmp_path / "b.vtk")
    as_meshio(mesh, tissue=mesh.tissue).write(tmp_path / "c.vtk")
    meshio.Mesh(mesh.points / 1000, [("tetra", mesh.tets)], cell_data={"tissue": [mesh.tissue]}).write(
        tmp_path / "c.vtk"
    )
    for name, message in (("a", "1 hexahedron"), ("b", "7 triangle; mesh"), ("c", "meters: multiply")):
        with pytest.raises(FileFormatError, match=message):
            load_head(tmp_path / f"{name}.vtk")


@pytest.mark.parametrize("suffix", [".inp", ".med", ".ele", ".vtk", ".xdmf", ".vol"])
def test_a_file_that_is_something_else_is_one_error(tmp_path, suffix):
    path = tmp_path / f"head{suffix}"
    path.write_bytes(b"\x89 not a mesh\n1 2 3\n" * 5)
    with pytest.raises(FileFormatError, match=r"head\..*"):
        load_head(path)


def test_a_file_that_includes_itself_or_a_device_ends(tmp_path):
    path = tmp_path / "loop.inp"
    path.write_text(f"*NODE\n1, 0, 0, 0\n*INCLUDE, INPUT={path}\n")
    with pytest.raises(FileFormatError, match=r"loop\.inp"):
        load_head(path)
    item = '<DataItem DataType="Float" Dimensions="9 3" Format="Binary" Precision="8">/dev/zero</DataItem>'
    grid = f'<Grid Name="G"><Geometry GeometryType="XYZ">{item}</Geometry></Grid>'
    (tmp_path / "zero.xdmf").write_text(f'<Xdmf Version="3.0"><Domain>{grid}</Domain></Xdmf>')
    with pytest.raises(FileFormatError, match=r"zero\.xdmf"):
        load_head(tmp_path / "zero.xdmf")


def test_a_missing_package_is_named_with_its_extra(tmp_path, mesh, monkeypatch):
    as_meshio(mesh, tissue=mesh.tissue).write(tmp_path / "a.vtk")
    monkeypatch.setattr(other_meshes, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"meshio; .*\.\[formats\]"):
        load_head(tmp_path / "a.vtk")


def test_the_child_says_which_package_it_lacks(tmp_path):
    # A module None in sys.modules is one that cannot be imported.
    program = "import sys, runpy; sys.modules['h5py'] = None; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    command = [sys.executable, "-c", program, meshio_child.__file__, "x.med", "med", str(tmp_path), "1000000000"]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    assert child.returncode == meshio_child.NO_PACKAGE
    assert "h5py" in child.stderr
