"""The two faces of an object: short text, and a table that is safe and reads on any background."""

import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from efield.ground.card import MOST_CHARACTERS, MOST_LINES, Card, counted, listed, place, rate

#: Short texts, and long ones made of them.
ANY = st.builds(lambda part, times: part * times, st.text(max_size=8), st.sampled_from((1, 3, 200)))


class Parsed(HTMLParser):
    """Tags and texts of a table."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


@given(ANY, st.lists(st.tuples(ANY, ANY), max_size=8))
def test_the_text_is_short_whatever_the_names(title, rows):
    text = Card(title, rows).text()
    assert len(text) <= MOST_CHARACTERS
    assert text.count("\n") < MOST_LINES
    assert len(text.splitlines()) <= MOST_LINES


@given(ANY, st.lists(st.tuples(ANY, ANY), max_size=8))
def test_the_table_has_all_rows_and_nothing_of_the_names_becomes_markup(title, rows):
    card = Card(title, rows)
    found = Parsed(card.html())
    assert set(found.tags) <= {"table", "caption", "tbody", "tr", "th", "td"}
    assert found.tags.count("tr") == len(card.lines())


def test_a_short_line_is_kept_whole_beside_a_long_one():
    text = Card("Thing", [("source", "x" * 1000), ("size", "3 nodes")]).text()
    assert "3 nodes" in text
    assert "…" in text


def test_what_is_empty_is_left_out_of_both():
    card = Card("Thing", [("empty", ""), ("size", "3")])
    assert "empty" not in card.text()
    assert "empty" not in card.html()


def test_the_table_takes_its_colors_from_the_page():
    html = Card("Thing", [("size", "3")]).html()
    assert "<style" not in html
    assert not re.search(r"#[0-9a-f]{3,6}|rgb\(|white|black", html)


def test_numbers_carry_their_units():
    assert counted(1, "tetrahedron", "tetrahedra") == "1 tetrahedron"
    assert counted(1200, "tetrahedron", "tetrahedra") == "1,200 tetrahedra"
    assert place([-0.0, 1, 2.25]) == "(0.0, 1.0, 2.2) mm"
    assert rate(-2e6) == "-2e+06 A/s (-2 A/us)"
    assert listed("abcde", 2) == "a, b, and 3 more"
