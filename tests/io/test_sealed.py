"""A sealed file comes back as it was written or is refused: cut, changed, renamed, of another context, or hostile."""

import hashlib
import json
import os

import numpy as np
import pytest

from efield.ground.errors import InputError
from efield.io import sealed
from efield.io.sealed import SealError

ARRAYS = {
    "numbers": np.arange(12, dtype=np.int32).reshape(3, 4),
    "one": np.array(2.5),
    "none": np.empty((0, 3), dtype=np.float32),
    "yes": np.array([True, False, True]),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
}
NOTE = {"b": [1, 2.5, None], "a": {"text": "é", "deep": {"x": 1e-300}}}


def write(kind, path, context="c"):
    if kind == "note":
        sealed.write_note(path, NOTE, version=3, context=context)
    elif kind == "array":
        sealed.write_array(path, ARRAYS["numbers"], context=context)
    else:
        sealed.write_arrays(path, ARRAYS, context=context)


def read(kind, path, context="c"):
    if kind == "note":
        return sealed.read_note(path, version=3, context=context, remedy="write it again")
    reader = sealed.read_array if kind == "array" else sealed.read_arrays
    return reader(path, context=context, remedy="write it again")


KINDS = ("note", "array", "arrays")


def test_a_note_comes_back_with_its_order_and_can_be_read_by_people(tmp_path):
    write("note", tmp_path / "n.json")
    found = read("note", tmp_path / "n.json")
    assert found == NOTE
    assert list(found) == ["b", "a"]
    assert json.loads((tmp_path / "n.json").read_text(encoding="utf-8"))["b"] == [1, 2.5, None]


def test_arrays_come_back_to_the_last_bit_and_of_their_type(tmp_path):
    sealed.write_arrays(tmp_path / "a", ARRAYS)
    found = sealed.read_arrays(tmp_path / "a", remedy="")
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
        assert found[name].flags.writeable


@pytest.mark.parametrize("name", ["numbers", "one", "columns"])
def test_an_array_comes_back_and_other_programs_read_it(tmp_path, name):
    path = tmp_path / "a.npy"
    sealed.write_array(path, ARRAYS[name], context="c")
    own = read("array", path)
    mapped = sealed.read_array(path, context="c", remedy="", mapped=True)
    for found in (own, mapped, np.load(path)):
        assert found.dtype == ARRAYS[name].dtype
        assert np.array_equal(found, ARRAYS[name])
    assert isinstance(mapped, np.memmap)
    assert not isinstance(own, np.memmap)
    assert own.flags.writeable


@pytest.mark.parametrize("kind", KINDS)
def test_every_bit_counts(tmp_path, kind):
    path = tmp_path / "f"
    write(kind, path)
    good = path.read_bytes()
    for place in range(0, len(good), 1 + len(good) // 200):
        bad = bytearray(good)
        bad[place] ^= 4
        path.write_bytes(bad)
        with pytest.raises(SealError, match="write it again"):
            read(kind, path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, -1, -33])
def test_a_cut_file_is_refused(tmp_path, kind, length):
    path = tmp_path / "f"
    write(kind, path)
    # A note's last byte is only the end of its line.
    os.truncate(path, length if length >= 0 else path.stat().st_size + length - (kind == "note"))
    with pytest.raises(SealError, match="changed or cut"):
        read(kind, path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_name_or_context_is_refused(tmp_path, kind):
    write(kind, tmp_path / "f")
    assert read(kind, tmp_path / "f") is not None
    with pytest.raises(SealError, match="belongs to something else"):
        read(kind, tmp_path / "f", "d")
    (tmp_path / "f").rename(tmp_path / "g")
    with pytest.raises(SealError, match="belongs to something else"):
        read(kind, tmp_path / "g")
    with pytest.raises(SealError, match=r"cannot be read.*write it again"):
        read(kind, tmp_path / "f")


def test_context_and_name_are_not_confused(tmp_path):
    write("array", tmp_path / "b", 'a", "x')
    (tmp_path / "b").rename(tmp_path / "x")
    with pytest.raises(SealError):
        read("array", tmp_path / "x", 'a", "b')


def test_the_order_of_a_note_is_sealed(tmp_path):
    path = tmp_path / "n"
    write("note", path)
    note = json.loads(path.read_text())
    path.write_text(json.dumps({name: note[name] for name in sorted(note)}))
    with pytest.raises(SealError, match="changed"):
        read("note", path)
    path.write_text(json.dumps(note))  # other spaces are no change
    assert read("note", path) == NOTE


@pytest.mark.parametrize(
    ("version", "says"), [(2, "format 3; instead it has 2: write"), (9, "newer version of efield, or write")]
)
def test_another_version_says_so_before_the_seal_is_looked_at(tmp_path, version, says):
    sealed.write_note(tmp_path / "n", {}, version=version, context="another scheme")
    with pytest.raises(SealError, match=says):
        read("note", tmp_path / "n")


@pytest.mark.parametrize("text", ["", "[]", "1", "{}", '{"format": 3}', '{"format": "3"}', "[" * 100_000, "\ud800"])
def test_a_note_that_is_something_else_is_refused(tmp_path, text):
    (tmp_path / "n").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(SealError, match="changed"):
        read("note", tmp_path / "n")


def _forged(path, content):
    """A file with a right seal that we did not write."""
    state = hashlib.sha256(json.dumps(["c", path.name]).encode())
    state.update(content)
    path.write_bytes(content + state.digest())


LISTED = ('"<f8", [1000000000000]', '"O", [1]', '"<f8", [-1]', '"no", [1]', '"<f8", [1e3]', '"<f8", ["x"]')
HEADS = ["", "\n", "[1]\n", "[" * 9999 + "\n", *(f'[["a", {rest}]]\n' for rest in LISTED)]


@pytest.mark.parametrize("head", HEADS)
def test_a_forged_list_of_arrays_is_refused(tmp_path, head):
    _forged(tmp_path / "f", head.encode() + b"\0" * 128)
    with pytest.raises(SealError, match="changed"):
        read("arrays", tmp_path / "f")


def test_a_forged_array_is_neither_unpickled_nor_believed(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    path = tmp_path / "f.npy"
    np.save(path, np.array([Bomb()], dtype=object), allow_pickle=True)
    _forged(path, path.read_bytes())
    with pytest.raises(SealError, match="changed"):
        read("array", path)
    assert not (tmp_path / "exploded").exists()
    np.save(path, np.zeros(3))
    _forged(path, path.read_bytes().replace(b"(3,), }", b"(9999999999999,), }"))
    with pytest.raises(SealError, match="changed"):
        read("array", path)


def test_objects_are_not_stored(tmp_path):
    bad = np.array([{}], dtype=object)
    with pytest.raises(InputError, match="objects"):
        sealed.write_array(tmp_path / "a", bad)
    with pytest.raises(InputError, match="x must be an array of numbers"):
        sealed.write_arrays(tmp_path / "a", {"x": bad})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_failed_write_leaves_the_file_before_it(tmp_path, kind, monkeypatch):
    path = tmp_path / "f"
    write(kind, path)
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write(kind, path, "other")
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("lasting", [False, True])
def test_what_lasts_is_brought_to_the_disk_before_it_has_its_name(tmp_path, monkeypatch, lasting):
    steps = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)

        def step(*arguments, name=name, original=original):
            steps.append(name)
            return original(*arguments)

        monkeypatch.setattr(os, name, step)
    sealed.write_note(tmp_path / "n", NOTE, version=1, lasting=lasting)
    assert steps[: steps.index("replace") + 1] == (["fsync"] if lasting else []) + ["replace"]


def test_the_hash_of_a_file_that_others_write(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sealed.digest_of(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
    assert sealed.digest_of(tmp_path / "b") is None
