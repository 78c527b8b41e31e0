"""Labels of vertices are what nibabel writes, and damaged files are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nibabel.freesurfer import io as freesurfer

from efield.ground.errors import FileFormatError
from efield.io.surfaces.vertex_labels import read_annotation, read_label

NAMES = ["unknown", "precentral", "postcentral"]
COLORS = np.array([[25, 5, 25, 0], [60, 20, 220, 0], [220, 20, 20, 0]])
LABELS = np.array([0, 1, 1, 2, 0, 1])


@pytest.fixture
def annot(tmp_path):
    freesurfer.write_annot(tmp_path / "lh.aparc.annot", LABELS, COLORS, NAMES, fill_ctab=True)
    return tmp_path / "lh.aparc.annot"


def test_an_annotation_of_nibabel_is_read(annot):
    found = read_annotation(annot)
    assert list(found.names) == NAMES
    for number, name in enumerate(NAMES):
        assert np.array_equal(found.vertices(name), number == LABELS)


def test_the_older_table_without_numbers_is_read(tmp_path):
    def ints(*values):
        return np.array(values, ">i4").tobytes()

    colors = [int(r) + (int(g) << 8) + (int(b) << 16) for r, g, b, _ in COLORS]
    data = ints(len(LABELS), *(x for v, label in enumerate(LABELS) for x in (v, colors[label])))
    data += ints(1, len(NAMES), 5) + b"old.\0"
    for name, color in zip(NAMES, COLORS, strict=True):
        data += ints(len(name) + 1) + name.encode() + b"\0" + ints(*color)
    (tmp_path / "old.annot").write_bytes(data)
    found = read_annotation(tmp_path / "old.annot")
    assert list(found.names) == NAMES
    assert np.array_equal(found.vertices("postcentral"), LABELS == 2)
    assert list(freesurfer.read_annot(tmp_path / "old.annot")[2]) == [name.encode() for name in NAMES]


@given(data=st.data())
def test_a_damaged_annotation_is_read_or_refused(annot_bytes, tmp_path_factory, data):
    at = data.draw(st.integers(0, len(annot_bytes) - 1))
    change = data.draw(st.sampled_from(["cut", "byte"]))
    byte = bytes([data.draw(st.integers(0, 255))])
    damaged = annot_bytes[:at] if change == "cut" else annot_bytes[:at] + byte + annot_bytes[at + 1 :]
    path = tmp_path_factory.getbasetemp() / "damaged.annot"
    path.write_bytes(damaged)
    try:
        read_annotation(path)
    except FileFormatError as error:
        assert "damaged.annot" in str(error)
    else:
        assert change == "byte"


@pytest.fixture(scope="module")
def annot_bytes(tmp_path_factory):
    path = tmp_path_factory.mktemp("annot") / "lh.annot"
    freesurfer.write_annot(path, LABELS, COLORS, NAMES, fill_ctab=True)
    return path.read_bytes()


def test_a_label_is_a_list_of_vertices_as_nibabel_reads_it(tmp_path):
    path = tmp_path / "lh.hand.label"
    path.write_text("#!ascii label  , from subject x vox2ras=TkReg\n3\n7 1.0 2.0 3.0 0.5\n2 1 2 3 0\n4 -1 -2 -3 0\n")
    assert read_label(path).tolist() == [2, 4, 7]
    assert sorted(freesurfer.read_label(path)) == [2, 4, 7]


@pytest.mark.parametrize(
    "text",
    [
        "3\n7 1 2 3 0\n",
        "#x\n2\n7 1 2 3 0\n",
        "#x\n0\n",
        "#x\n1\n1.5 0 0 0 0\n",
        "#x\n1\n-1 0 0 0 0\n",
        "#x\n1\na b c d e\n",
    ],
)
def test_a_damaged_label_is_refused(tmp_path, text):
    path = tmp_path / "lh.hand.label"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=r"lh\.hand\.label"):
        read_label(path)
