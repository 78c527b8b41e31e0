"""The catalog of protocols: its arithmetic, its marks, and what stands beside it."""

import csv
from pathlib import Path

import pytest

import efield.dosing
from efield.dosing.evidence import statements, statements_about
from efield.dosing.marks import DISCLAIMER, SIGNS, WORDS
from efield.dosing.protocols import COLUMNS, list_protocols, protocol
from efield.dosing.words import EVIDENCE, SENSES
from efield.ground.errors import InputError

ALL = list(list_protocols())


def complete():
    return [one for one in map(protocol, ALL) if all(one.number(name) for name in ("freq_hz", "train_s", "trains"))]


def test_every_complete_protocol_has_pulses_of_rate_times_length_times_trains():
    checked = [one for one in complete() if one.number("pulses")]
    assert len(checked) >= 15
    for one in checked:
        assert one.trains.pulses == pytest.approx(one.number("pulses")), one.name


def test_every_mark_is_a_known_one_on_a_cell_that_says_something():
    for one in map(protocol, ALL):
        assert set(one.cells) == set(COLUMNS)
        for cell in one.cells.values():
            assert cell.mark in WORDS
            assert cell.text or cell.mark == "read"
        assert one.cells["evidence"].text in EVIDENCE
        assert set(one.cells["current"].text.split()) <= set(SENSES)
        assert one.source
        assert one.status


def test_no_column_of_the_file_is_left_behind():
    with (Path(efield.dosing.__file__).parent / "protocols.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == {*COLUMNS, "id", "pain_tags", "part_tags", "source", "status", "marks"}
    marked = {name.split(":")[0] for row in rows for name in row["marks"].split()}
    assert marked <= set(COLUMNS)
    assert [row["id"] for row in rows] == ALL
    assert len(ALL) == 48


@pytest.mark.parametrize("name", ["P01", "P07", "P18", "P19", "P27", "P30", "P31", "P41"])
def test_what_is_from_memory_or_inferred_is_unverified_on_every_print(name):
    one = protocol(name)
    assert one.unverified
    assert "UNVERIFIED" in str(one)
    assert "UNVERIFIED" in repr(one)
    assert "UNVERIFIED" in one._repr_html_()
    listed = next(row for row in list_protocols().rows if row[0] == name)
    shown = {"freq_hz", "intensity_percent", "train_s", "trains", "iti_s", "pulses", "sessions", "evidence"}
    assert sum(cell.endswith(" ?") for cell in listed[2:]) == len(shown & set(one.unverified))
    for column in one.unverified:
        line = next(line for line in str(one).splitlines() if line.startswith(COLUMNS[column]))
        assert "UNVERIFIED" in line


def test_a_protocol_that_was_read_has_no_doubts():
    assert protocol("P08").unverified == ()
    assert "UNVERIFIED" not in repr(protocol("P08"))


def test_every_print_says_that_a_dose_needs_a_clinician_and_none_says_safe():
    for text in (str(protocol("P20")), repr(list_protocols()), list_protocols()._repr_html_()):
        assert DISCLAIMER in text
    assert "needs a clinician" in repr(protocol("P20"))
    for one in map(protocol, ALL):
        assert " safe" not in str(one).lower()


def test_filters_find_what_the_rows_say():
    assert set(list_protocols(pain="postherpetic")) == {"P18", "P22a", "P22b"}
    legs = list_protocols(body_part="leg")
    assert {"P05", "P15", "P21"} <= set(legs)
    assert "P08" not in legs
    against = list_protocols(evidence="against")
    assert {"P08", "P15", "P27", "P38", "P42"} == set(against)
    assert list(list_protocols(pain="spinal-cord", body_part="leg", evidence="against")) == ["P15"]
    assert list(list_protocols(pain="phantom", evidence="against")) == []


def test_counter_evidence_stands_beside_the_evidence():
    for text in (repr(list_protocols(evidence="for")), str(protocol("P30"))):
        assert "third line" in text
        assert "P = 0.58" in text
    legs, hands = str(protocol("P15")), str(protocol("P38"))
    assert "lower limb: no effect" in legs
    assert "upper limb: SMD -0.45" not in legs
    assert "upper limb: SMD -0.45" in hands
    assert "not significant" in hands
    assert {one.sign for one in statements()} == {"for", "against", "limits"}
    assert all(one.source and one.mark in SIGNS for one in statements())
    assert set(statements_about(())) == set(statements())


@pytest.mark.parametrize(
    ("name", "lacks"), [("P13", None), ("P06", "1, 5, 10"), ("P30", "train"), ("P40b", "iTBS"), ("P12", "not read")]
)
def test_trains_that_were_not_read_are_not_made_up(name, lacks):
    if lacks is None:
        assert protocol(name).trains.pulses == 2000
        assert protocol(name).number("intensity_percent") is None
        return
    with pytest.raises(InputError, match=lacks):
        _ = protocol(name).trains


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: protocol("P99"), "protocol must be one of"),
        (lambda: list_protocols(pain="foot"), "pain must be one of"),
        (lambda: list_protocols(body_part="hands"), "did you mean 'hand'"),
        (lambda: list_protocols(evidence="good"), "evidence must be one of"),
        (lambda: protocol("P08").number("hz"), "column must be one of"),
    ],
)
def test_unknown_words_are_answered_with_the_known_ones(ask, message):
    with pytest.raises(InputError, match=message):
        ask()


def test_names_are_taken_in_any_case():
    assert protocol(" p04A ") is protocol("P04a")


def test_sessions_are_as_long_as_their_trains_and_gaps():
    assert protocol("P04a").trains.duration_s == 20 * 4 + 19 * 84
    assert protocol("P03").trains.duration_s is None
    assert "gap not known" in protocol("P03").trains.words
