"""Bytes of OpenIGTLink: against the format's own tables, written out here, and against pyigtl."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efield.ground.errors import InputError
from efield.nav import openigtlink as igtl
from efield.nav.openigtlink import Message, Reader

MATRIX = np.array([[0.0, -1, 0, 10], [1, 0, 0, 20], [0, 0, 1, 30], [0, 0, 0, 1]])

#: Columns x, y, z, then the shift.
BODY = struct.pack(">12f", 0, 1, 0, -1, 0, 0, 0, 0, 1, 10, 20, 30)


def test_the_checksum_is_that_of_ecma_182():
    # The check value that catalogs of checksums give for CRC-64/ECMA-182.
    assert igtl.checksum(b"123456789") == 0x6C40DF5F0B497347
    assert igtl.checksum(b"") == 0


def test_a_transform_is_packed_byte_by_byte():
    data = igtl.packed(Message("TRANSFORM", "CoilToRefe", igtl.transform_content(MATRIX), 1.5))
    head = struct.pack(">H12s20sIIQ", 1, b"TRANSFORM", b"CoilToRefe", 1, 1 << 31, 48)
    assert data == head + struct.pack(">Q", igtl.checksum(BODY)) + BODY
    assert len(data) == 58 + 48
    np.testing.assert_array_equal(igtl.transform(BODY), MATRIX)


def test_version_2_has_an_extended_header_and_a_count_of_no_metadata():
    data = igtl.packed(Message("STRING", "a", igtl.text_content("hi"), 0.0, 2, 7))
    body = struct.pack(">HHII", 12, 2, 0, 7) + struct.pack(">HH", 3, 2) + b"hi" + b"\0\0"
    assert data[:2] == b"\0\2"
    assert data[58:] == body
    (message,) = Reader(("STRING",)).feed(data)
    assert (message.content, message.number, message.version, message.intact) == (body[12:-2], 7, 2, True)


def test_metadata_of_others_is_passed_over():
    content, meta = igtl.transform_content(MATRIX), struct.pack(">HHHI", 1, 3, 3, 5)
    body = struct.pack(">HHII", 12, len(meta), 8, 9) + content + meta + b"keyvalue"
    head = struct.pack(">H12s20sQQQ", 2, b"TRANSFORM", b"x", 0, len(body), igtl.checksum(body))
    (message,) = Reader(("TRANSFORM",)).feed(head + body)
    assert message.intact
    assert message.content == content


STREAM = b"".join(
    igtl.packed(Message(kind, "d", content, 2.0, version, number))
    for number, (kind, content, version) in enumerate(
        [
            ("TRANSFORM", BODY, 1),
            ("IMAGE", b"x" * 300, 1),
            ("TRANSFORM", BODY, 2),
            ("STRING", b"", 1),
            ("STATUS", b"", 2),
        ]
    )
)


@given(st.lists(st.integers(1, 120), min_size=1, max_size=12))
def test_messages_do_not_depend_on_how_they_arrive(sizes):
    reader, found, rest = Reader(("TRANSFORM", "STATUS")), [], STREAM
    while rest:
        size = sizes[len(found) % len(sizes)]
        found += reader.feed(rest[:size])
        rest = rest[size:]
    assert [message.kind for message in found] == ["TRANSFORM", "TRANSFORM", "STATUS"]
    assert all(message.intact for message in found)
    assert [message.number for message in found] == [0, 2, 4]
    assert not reader.half


@given(st.binary(max_size=400))
def test_any_bytes_are_messages_or_refused(data):
    reader = Reader(("TRANSFORM",), longest=1000)
    try:
        for message in reader.feed(data):
            assert isinstance(message.content, bytes)
    except InputError:
        return
    assert len(reader._waiting) < 58 + 1000


@given(st.integers(58, 58 + 73), st.integers(0, 255))
def test_a_damaged_body_is_not_intact(place, value):
    data = bytearray(igtl.packed(Message("TRANSFORM", "d", BODY, 2.0, 2, 1)))
    if place < len(data) and data[place] != value:
        data[place] = value
        (message,) = Reader(("TRANSFORM",)).feed(bytes(data))
        assert not message.intact


@pytest.mark.parametrize(
    ("sizes", "values", "length"), [(13, 0, 12), (12, 1 << 31, 60), (65535, 0, 60), (12, 0, 0), (0, 0, 60)]
)
def test_lengths_that_contradict_the_body_are_not_intact(sizes, values, length):
    body = struct.pack(">HHII", sizes, 0, values, 0)[:length].ljust(length, b"\0")
    head = struct.pack(">H12s20sQQQ", 2, b"TRANSFORM", b"x", 0, len(body), igtl.checksum(body))
    (message,) = Reader(("TRANSFORM",)).feed(head + body)
    assert message.intact == (12 <= sizes <= len(body) - values)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x" * 60,
        b"\0" * 58,
        b"\xff" * 58,
        struct.pack(">H12s20sQQQ", 9, b"TRANSFORM", b"", 0, 48, 0),
        struct.pack(">H12s20sQQQ", 1, b"TRANSFORM", b"", 0, 1 << 62, 0),
        struct.pack(">H12s20sQQQ", 1, b"IMAGE", b"", 0, 1 << 40, 0),
        struct.pack(">H12s20sQQQ", 1, b"TRANS\0FORM", b"", 0, 1, 0),
    ],
)
def test_what_is_no_message_or_too_long_is_refused(head):
    with pytest.raises(InputError, match=r"OpenIGTLink|at most"):
        Reader(("TRANSFORM",)).feed(head)


def test_what_is_not_wanted_is_not_stored():
    reader = Reader(("TRANSFORM",))
    reader.feed(struct.pack(">H12s20sQQQ", 1, b"IMAGE", b"", 0, 10_000_000, 0))
    for _ in range(100):
        assert reader.feed(b"x" * 100_000) == []
        assert len(reader._waiting) == 0
    assert len(reader.feed(igtl.packed(Message("TRANSFORM", "d", BODY)))) == 1


def test_a_text_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match="65535"):
        igtl.text_content("x" * 65536)
    with pytest.raises(InputError, match="48 bytes"):
        igtl.transform(b"x" * 47)


def test_pyigtl_reads_images_and_texts_as_they_were_meant():
    messages = pytest.importorskip("pyigtl.messages", reason="needs pyigtl (extra test)")
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = -5, 6, 7
    for kind, content in (("IMAGE", igtl.image_content(values, affine)), ("STRING", igtl.text_content("é"))):
        data = igtl.packed(Message(kind, "efield", content, 3.25, 1))
        found = messages.MessageBase.create_message(kind)
        fields = messages.MessageBase.parse_header(data[:58])
        found.unpack(fields, data[58:])
        assert (found.device_name, found.timestamp) == ("efield", pytest.approx(3.25))
        if kind == "STRING":
            assert found.string == "é"
        else:
            # Theirs is numbered k, j, i.
            np.testing.assert_array_equal(found.image.transpose(2, 1, 0), values)
            np.testing.assert_allclose(found.ijk_to_world_matrix, affine)
            assert found.world_coordinate_system == "ras"


def test_polydata_is_packed_byte_by_byte():
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    content = igtl.polydata_content(points, np.array([[0, 1, 2], [0, 2, 3]]), {"magnE": np.array([1.0, 2, 3, 4])})
    wanted = struct.pack(">10I", 4, 0, 0, 0, 0, 2, 32, 0, 0, 1)
    wanted += struct.pack(">12f", *points.ravel())
    wanted += struct.pack(">8I", 3, 0, 1, 2, 3, 0, 2, 3)
    # Kind (scalars of points) and number of components are a byte each, as the protocol's own library has them.
    wanted += bytes([0, 1]) + struct.pack(">I", 4) + b"magnE\0" + struct.pack(">4f", 1, 2, 3, 4)
    assert content == wanted
    odd = igtl.polydata_content(points, np.array([[0, 1, 2]]), {"ab": np.ones(4)})
    assert odd.endswith(b"ab\0\0" + struct.pack(">4f", 1, 1, 1, 1))
