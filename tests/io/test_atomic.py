"""A file is written completely or not at all."""

import pytest

from efield.ground.errors import InputError
from efield.io.atomic import new_folder, replacing


def test_the_file_appears_when_the_block_ends(tmp_path):
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "a.txt").exists()
        assert temporary.name == "a.txt"
    assert (tmp_path / "a.txt").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "a.txt").write_text("old")

    def fail() -> None:
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_missing_folder_or_a_folder_as_target_is_refused(tmp_path):
    for target in (tmp_path, tmp_path / "none" / "a.txt"):
        with pytest.raises(InputError, match="folder"), replacing(target):
            pass


@pytest.mark.parametrize("lasting", [False, True])
def test_a_new_folder_appears_when_it_is_complete(tmp_path, lasting):
    with new_folder(tmp_path / "a", lasting=lasting) as temporary:
        (temporary / "in").mkdir()
        (temporary / "in" / "b.txt").write_text("b")
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a" / "in" / "b.txt").read_text() == "b"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    with pytest.raises(InputError, match="must not exist"), new_folder(tmp_path / "a"):
        pass


def test_a_new_folder_that_fails_leaves_nothing(tmp_path):
    def fail() -> None:
        with new_folder(tmp_path / "a") as temporary:
            (temporary / "b.txt").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="must exist"), new_folder(tmp_path / "none" / "a"):
        pass
