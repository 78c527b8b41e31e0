"""A file is written completely or not at all."""

import pytest

from efield.ground.errors import InputError
from efield.io.atomic import filled_folder, new_folder, replacing, system_words


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


def test_files_that_belong_together_are_never_of_two_runs(tmp_path):
    def fill(*names: str, fails: bool = False) -> None:
        with filled_folder(tmp_path / "in" / "out", ("a", "b")) as folder:
            for name in names:
                (folder / name).write_text(f"{len(names)}")
            if fails:
                raise RuntimeError

    def found() -> dict[str, str]:
        return {path.name: path.read_text() for path in (tmp_path / "in" / "out").iterdir()}

    fill("a", "b")
    (tmp_path / "in" / "out" / "own").write_text("of the user")
    with pytest.raises(RuntimeError):
        fill("a", fails=True)
    assert found() == {"a": "2", "b": "2", "own": "of the user"}
    fill("a")
    assert found() == {"a": "1", "own": "of the user"}
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["out"]


def test_files_of_a_run_that_ended_meanwhile_stay(tmp_path):
    def fill(text: str, *, force: bool) -> None:
        with filled_folder(tmp_path / "out", ("a",), force=force) as folder:
            (folder / "a").write_text(text)
            if text == "late":
                fill("early", force=False)

    with pytest.raises(InputError, match=r"another run .* meanwhile, and nothing was written.*--force"):
        fill("late", force=False)
    assert (tmp_path / "out" / "a").read_text() == "early"
    fill("forced", force=True)
    assert (tmp_path / "out" / "a").read_text() == "forced"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_the_system_refuses_is_said_of_the_file_that_was_asked_for():
    full = OSError(28, "No space left on device", "/data/.out.x1/out/.a.vtu.y2/a.vtu")
    assert system_words(full).startswith("No space left on device: /data/a.vtu; make room")
    denied = OSError(13, "Permission denied", "/data/out")
    assert system_words(denied).startswith("Permission denied: /data/out; check")
