"""A file is written completely or not at all."""

import pytest

from efield.ground.errors import InputError
from efield.io.atomic import replacing


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
