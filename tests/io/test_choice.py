"""One grammar for a file and a choice behind it, whatever colons its path and the choice hold."""

import pytest

from efield.ground.errors import InputError
from efield.io.choice import split_choice

KINDS = (".tcd", ".nii", ".nii.gz", ".csv")


@pytest.mark.parametrize(
    ("text", "file", "choice"),
    [
        ("cap.csv:C3", "cap.csv", "C3"),
        ("a/b.TCD:rot2p-0=10,stimulator=1", "a/b.TCD", "rot2p-0=10,stimulator=1"),
        ("coil.nii.gz: stimulator=1", "coil.nii.gz", "stimulator=1"),
        (r"C:\caps\cap.csv:C3", r"C:\caps\cap.csv", "C3"),
        (r"C:\coils\coil.tcd", r"C:\coils\coil.tcd", None),
        ("C:/coils/coil.tcd:stimulator=1", "C:/coils/coil.tcd", "stimulator=1"),
        ("C3", "C3", None),
        ("-37,-21,58", "-37,-21,58", None),
        ("coil.ccd:x", "coil.ccd:x", None),
        ("12:30/cap.csv", "12:30/cap.csv", None),
        ("12:30/cap.csv:C3", "12:30/cap.csv", "C3"),
        ("old.csv:new/cap.ccd", "old.csv:new/cap.ccd", None),
    ],
)
def test_a_choice_stands_behind_the_suffix_of_a_file_that_offers_one(text, file, choice):
    assert split_choice(text, KINDS) == (file, choice)


def test_what_exists_is_the_file(tmp_path):
    (tmp_path / "cap.csv").touch()
    assert split_choice("cap.csv:a:b/c", KINDS, tmp_path) == ("cap.csv", "a:b/c")
    assert split_choice("cap.csv:x.csv:C3", KINDS, tmp_path) == ("cap.csv", "x.csv:C3")
    assert split_choice("cap.csv:x.csv:C3", KINDS, tmp_path / "none") == ("cap.csv:x.csv", "C3")
    (tmp_path / "cap.csv:C3").touch()
    assert split_choice("cap.csv:C3", KINDS, tmp_path) == ("cap.csv:C3", None)
    assert split_choice(f"{tmp_path}/cap.csv:C4", KINDS) == (f"{tmp_path}/cap.csv", "C4")


@pytest.mark.parametrize("text", ["cap.csv:", "coil.tcd: "])
def test_nothing_behind_the_colon_is_an_error(text):
    with pytest.raises(InputError, match="leave the colon out"):
        split_choice(text, KINDS)
