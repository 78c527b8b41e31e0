"""Errors say which file they are about, once."""

import pytest

from efield.ground.errors import FileFormatError, InputError, naming


def test_what_is_wrong_with_the_content_of_a_file_names_the_file():
    with pytest.raises(FileFormatError, match=r"^a\.msh: tags must be whole$"), naming("a.msh"):
        raise InputError("tags must be whole")


def test_an_error_that_names_its_file_is_left_alone_and_so_are_others():
    with pytest.raises(FileFormatError, match=r"^b\.h5 is empty$"), naming("a.xdmf"):
        raise FileFormatError("b.h5 is empty")
    with pytest.raises(KeyError), naming("a.msh"):
        raise KeyError("not an input")
