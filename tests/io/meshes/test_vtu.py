"""VTK files: what VTK writes we read, what we write VTK reads, and damage gives one clear error."""

import base64
import struct
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from efield.ground.errors import InputError
from efield.io.meshes import vtu
from efield.io.meshes.mesh_files import read_head
from tests.io.conftest import packed_zeros

TEXT = """<?xml version="1.0"?>
<VTKFile type="UnstructuredGrid" version="0.1" byte_order="LittleEndian">
  <UnstructuredGrid><Piece NumberOfPoints="5" NumberOfCells="3">
    <PointData><DataArray type="Float64" Name="v" format="ascii">1 2 3 4 nan</DataArray></PointData>
    <CellData><DataArray type="Int32" Name="medit:ref" format="ascii">7 2 9</DataArray>
      <DataArray type="Float32" Name="E" NumberOfComponents="3" format="ascii">0 0 0 1 2 3 9 9 9</DataArray></CellData>
    <Points><DataArray type="Float64" NumberOfComponents="3" format="ascii">
      1 1 1 0 0 0 50 0 0 0 50 0 0 0 50</DataArray></Points>
    <Cells><DataArray type="Int64" Name="connectivity" format="ascii">1 2 1 2 3 4 1 2 3</DataArray>
      <DataArray type="Int64" Name="offsets" format="ascii">2 6 9</DataArray>
      <DataArray type="UInt8" Name="types" format="ascii">3 10 5</DataArray></Cells>
  </Piece></UnstructuredGrid>
</VTKFile>
"""


INT_TAGS = 'type="Int32" Name="medit:ref" format="ascii">7 2 9'
FLOAT_TAGS = 'type="Float32" Name="medit:ref" format="ascii">7 {} 9'


@pytest.fixture
def reader(tmp_path):
    def of(data):
        (tmp_path / "bad.vtu").write_bytes(data)
        return lambda: read_head(tmp_path / "bad.vtu")

    return of


@pytest.fixture
def good(mesh, tmp_path):
    head = mesh.head()
    vtu.write_vtu(tmp_path / "good.vtu", head, cell_data={"E": head.barycenters})
    return (tmp_path / "good.vtu").read_bytes()


@pytest.mark.parametrize("block", [vtu._BLOCK, 96])
def test_vtk_reads_what_we_write(mesh, tmp_path, monkeypatch, block):
    import pyvista

    monkeypatch.setattr(vtu, "_BLOCK", block)
    head = mesh.head()
    magn = np.linalg.norm(head.barycenters, axis=1)
    others = {'strong & "near" <a>': magn > np.median(magn), "half": magn.astype(np.float16), "big": magn.astype(">f4")}
    fields = {"E": head.barycenters, "magnE": magn, **others}
    vtu.write_vtu(tmp_path / "a.vtu", head, cell_data=fields, point_data={"v": head.points[:, 0]})
    grid = pyvista.read(tmp_path / "a.vtu")
    assert_array_equal(grid.points, head.points)
    assert_array_equal(grid.cells_dict[10], head.tets)
    assert_array_equal(grid.cell_data["tissue"], head.tissue)
    for name, values in fields.items():
        assert_array_equal(grid.cell_data[name], values)
    assert_array_equal(grid.point_data["v"], head.points[:, 0])
    again = vtu.read_mesh(tmp_path / "a.vtu")
    assert_array_equal(again.element_data["E"], head.barycenters)
    assert_array_equal(again.tissue, head.tissue)


@pytest.mark.parametrize(
    ("mode", "compressor", "header"),
    list(product(["Ascii", "Binary", "Appended", "AppendedRaw"], ["None", "ZLib", "LZMA"], [32, 64])),
)
def test_we_read_what_vtk_writes_in_every_mode(mesh, tmp_path, mode, compressor, header):
    import pyvista
    from vtkmodules.vtkIOXML import vtkXMLUnstructuredGridWriter

    cells = {10: mesh.tets, 5: mesh.triangles}
    grid = pyvista.UnstructuredGrid(cells, np.array(mesh.points))
    grid.cell_data["gmsh:physical"] = np.concatenate([mesh.tissue, mesh.triangle_tags]).astype(np.int32)
    grid.cell_data["magnE"] = np.concatenate([mesh.element_data["magnE"], mesh.triangle_data["magnE"]])
    writer = vtkXMLUnstructuredGridWriter()
    writer.SetFileName(str(tmp_path / "a.vtu"))
    writer.SetInputData(grid)
    getattr(writer, f"SetDataModeTo{mode.replace('Raw', '')}")()
    writer.SetEncodeAppendedData(mode == "Appended")
    getattr(writer, f"SetCompressorTypeTo{compressor}")()
    getattr(writer, f"SetHeaderTypeToUInt{header}")()
    assert writer.Write()
    again = vtu.read_mesh(tmp_path / "a.vtu")
    assert_array_equal(again.points, mesh.points)
    assert_array_equal(again.tets, mesh.tets)
    assert_array_equal(again.tissue, mesh.tissue)
    assert_array_equal(again.triangles, mesh.triangles)
    assert_array_equal(again.triangle_tags, mesh.triangle_tags)
    assert_array_equal(again.element_data["magnE"], mesh.element_data["magnE"])
    assert_array_equal(again.triangle_data["magnE"], mesh.triangle_data["magnE"])


def test_text_by_hand(tmp_path):
    (tmp_path / "a.vtu").write_text(TEXT)
    mesh = vtu.read_mesh(tmp_path / "a.vtu")
    assert_array_equal(mesh.tets, [[1, 2, 3, 4]])
    assert_array_equal(mesh.tissue, [2])
    assert_array_equal(mesh.triangle_tags, [9])
    assert_array_equal(mesh.element_data["E"], [[1, 2, 3]])
    assert_array_equal(mesh.node_data["v"], [1, 2, 3, 4, np.nan])
    assert mesh.other_elements == {"lines": 1}
    assert len(read_head(tmp_path / "a.vtu").points) == 4


def test_big_endian_base64_by_hand(tmp_path):
    def encoded(format_, *values):
        data = struct.pack(f">{len(values)}{format_}", *values)
        return base64.b64encode(struct.pack(">I", len(data)) + data).decode()

    text = TEXT.replace("LittleEndian", "BigEndian")
    text = text.replace(
        '"UInt8" Name="types" format="ascii">3 10 5', f'"UInt8" Name="types" format="binary">{encoded("B", 3, 10, 5)}'
    )
    text = text.replace(
        'format="ascii">1 2 1 2 3 4 1 2 3', f'format="binary">{encoded("q", 1, 2, 1, 2, 3, 4, 1, 2, 3)}'
    )
    (tmp_path / "a.vtu").write_text(text)
    assert_array_equal(vtu.read_mesh(tmp_path / "a.vtu").tets, [[1, 2, 3, 4]])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("medit:ref", "material", "tissue array named.*material"),
        (INT_TAGS, FLOAT_TAGS.format(2.5), "whole tissue tags"),
        (INT_TAGS, FLOAT_TAGS.format("nan"), "whole tissue tags"),
        (">7 2 9<", ">7 -2 9<", "integer tags from 0"),
        (">3 10 5<", ">3 24 5<", "Tetrahedralize"),
        (">3 10 5<", ">3 10<", "every cell must have a type"),
        (">2 6 9<", ">2 6 9000<", "offsets"),
        (">2 6 9<", ">2 -6 9<", "offsets"),
        ("1 2 1 2 3 4 1", "1 2 1 2 3 5 1", "nodes 0 to 4"),
        ("1 2 1 2 3 4 1", "1 2 1 2 -3 4 1", "node numbers"),
        ("1 1 1 0 0 0 50", "1 1 1 0 nan 0 50", "finite"),
        ("1 1 1 0 0 0 50", "1 1 1 0 x 0 50", "numbers"),
        ("UnstructuredGrid\"", "PolyData\"", "UnstructuredGrid"),
        ("0 0 50</DataArray></Points>", "0 0</DataArray></Points>", "rows of 3"),
        ("50", "0.05", "multiply the coordinates by 1000"),
        ('<?xml version="1.0"?>', '<!DOCTYPE a [<!ENTITY b "c">]>', "entities"),
        ("</Piece>", '</Piece><Piece NumberOfPoints="0"></Piece>', "one piece"),
        ("</Points>", "", "valid XML"),
        ('<?xml version="1.0"?>', '<?xml version="1.0" encoding="utf-7"?>', "valid XML.*multi-byte"),
        ('<?xml version="1.0"?>', '<?xml version="1.0" encoding="none"?>', "valid XML.*unknown encoding"),
    ],
)  # fmt: skip
def test_wrong_content_is_named(old, new, message, reader, refuses):
    import re

    assert old in TEXT
    assert re.search(message, refuses(reader(TEXT.replace(old, new).encode())), re.DOTALL)


def test_missing_empty_and_foreign_files_are_refused(tmp_path, refuses, reader):
    assert "does not exist" in refuses(lambda: read_head(tmp_path / "none.vtu"))
    assert "empty" in refuses(reader(b""))
    assert "XML" in refuses(reader(b"$MeshFormat\n2.2 1 8\n"))


def test_a_zip_bomb_is_refused(refuses, reader):
    packed = packed_zeros(100)
    header = struct.pack("<4I", 1, 100 << 20, 100 << 20, len(packed))
    bomb = base64.b64encode(header) + base64.b64encode(packed)
    text = TEXT.replace('byte_order="LittleEndian"', 'byte_order="LittleEndian" compressor="vtkZLibDataCompressor"')
    text = text.replace('"UInt8" Name="types" format="ascii">3 10 5', '"UInt8" Name="types" format="binary">BOMB')
    assert "bad.vtu" in refuses(reader(text.encode().replace(b"BOMB", bomb)))


def test_damaged_bytes_only_ever_give_our_errors(good, damaged, survives, reader):
    assert not all(survives(reader(data)) for data in damaged(good, 300))
    assert not all(survives(reader(data)) for data in damaged(TEXT.encode(), 300))


def test_a_cut_anywhere_is_refused(good, survives, reader):
    for length in np.linspace(1, len(good) - 30, 60).astype(int):
        assert not survives(reader(good[:length]))


def test_the_name_of_the_tissue_array_is_reserved(mesh, tmp_path):
    with pytest.raises(InputError, match="tissue"):
        vtu.write_vtu(tmp_path / "a.vtu", mesh.head(), cell_data={"tissue": np.zeros(48)})
    assert not list(tmp_path.iterdir())
