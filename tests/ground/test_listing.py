"""A listing is a sequence of names that shows a table."""

from collections.abc import Sequence

import pytest

import efield as ef
from efield.ground.listing import Listing


@pytest.mark.parametrize("ask", [ef.list_coils, ef.list_targets, ef.list_stimulators])
def test_what_is_known_is_a_sequence_of_names_and_a_table(ask):
    known = ask()
    assert isinstance(known, Sequence)
    assert list(known) == [known[k] for k in range(len(known))]
    assert all(isinstance(name, str) and name in known for name in known)
    for name in known:
        assert name in repr(known)
        assert name in known._repr_html_()
    assert max(map(len, repr(known).splitlines())) < 200


def test_every_coil_and_stimulator_that_is_listed_can_be_loaded():
    for name in ef.list_coils():
        assert ef.load_coil(name).name == name
    for name in ef.list_stimulators():
        assert ef.coils.load_stimulator(name).name == name


def test_names_are_escaped_and_slices_are_names():
    listing = Listing("<b>", ("name",), (("<i>",), ("b",)), note="<u>")
    assert not {"<b>", "<i>", "<u>"} & set(listing._repr_html_().replace("><", "> <").split())
    assert "&lt;i&gt;" in listing._repr_html_()
    assert listing[1:] == ("b",)
