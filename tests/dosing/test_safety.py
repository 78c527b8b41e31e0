"""The table of longest single trains, cell by cell, and what is said where it has none."""

import pytest

from efield.dosing.marks import DISCLAIMER
from efield.dosing.protocols import list_protocols, protocol
from efield.dosing.safety import safety, table
from efield.dosing.trains import Trains
from efield.ground.errors import InputError

#: As reprinted in the Magstim Rapid2 manual MOP03-EN Rev 03, section 6.4.
PRINTED = """
Hz |  100    110    120   130   140   150   160   170   180   190   200   210   220
 1 | >1800  >1800   360   >50   >50   >50   >50   27    11    11    8     7     6
 5 | >10    >10    >10    >10   7.6   5.2   3.6   2.6   2.4   1.6   1.4   1.6   1.2
10 | >5     >5     4.2    2.9   1.3   0.8   0.9   0.8   0.5   0.6   0.4   0.3   0.3
20 | 2.05   1.6    1.0    0.55  0.35  0.25  0.25  0.15  0.2   0.25  0.2   0.1   0.1
25 | 1.28   0.84   0.4    0.24  0.2   0.24  0.2   0.12  0.08  0.12  0.12  0.08  0.08
"""


def printed():
    head, *rows = (line.replace("|", " ").split() for line in PRINTED.strip().splitlines())
    return {(float(row[0]), float(p)): text for row in rows for p, text in zip(head[1:], row[1:], strict=True)}


def test_the_table_is_the_printed_one_in_every_cell():
    assert {(one.freq_hz, one.percent): one.text for one in table()} == printed()
    assert len(table()) == 65


@pytest.mark.parametrize(("place", "text"), printed().items())
def test_a_train_is_compared_with_its_cell(place, text):
    hz, percent = place
    seconds = float(text.lstrip(">"))
    for train, words in ((seconds, ("within what was tested", "within the cell")), (1.01 * seconds, ("longer",) * 2)):
        found = safety(Trains(hz, train), percent)
        assert found.cell.text == text
        assert found.verdict.startswith(words[0] if text.startswith(">") else words[1])
        assert found.margin_s == pytest.approx(seconds - train)
        assert text in str(found)
    assert found.verdict == ("longer than tested" if text.startswith(">") else "longer than the cell")


@pytest.mark.parametrize(
    ("hz", "percent", "why"),
    [
        (10, 80, "no column below 100 %"),
        (10, 90, "no column below 100 %"),
        (10, 230, "no column above 220 %"),
        (15, 110, "no row for 15 Hz"),
        (10, 115, "110 %: >5 s and 120 %: 4.2 s"),
        (2, 50, "no row for 2 Hz"),
    ],
)
def test_where_there_is_no_cell_it_is_not_tabulated(hz, percent, why):
    found = safety(Trains(hz, 10.0), percent)
    assert found.verdict == "not tabulated"
    assert (found.cell, found.margin_s) == (None, None)
    assert why in str(found)
    assert "not tabulated" in repr(found)
    assert found.to_json()["verdict"] == "not tabulated"


def test_most_protocols_are_not_tabulated():
    verdicts = {}
    for name in list_protocols():
        try:
            verdicts[name] = safety(name).verdict
        except InputError:
            continue
    assert verdicts["P20"] == "not tabulated"
    assert list(verdicts.values()).count("not tabulated") > len(verdicts) / 2
    assert verdicts["P15"] == "within what was tested"


@pytest.mark.parametrize(
    ("trains", "percent", "cell"), [((20, 4), 90, "2.05"), ((25, 1), 90, "1.28"), ((1, 400), 120, ">360")]
)
def test_a_remembered_cell_says_that_it_is_unverified_and_gives_no_verdict(trains, percent, cell):
    found = safety(Trains(*trains), percent)
    note = next(note for note in found.notes if cell in note and "Rossi" in note)
    assert note.startswith("UNVERIFIED")
    assert found.cell is None or found.cell.text == "360"


def test_an_unverified_intensity_of_a_protocol_is_said():
    assert any("UNVERIFIED" in note and "intensity_percent" in note for note in safety("P18").notes)
    assert not any("UNVERIFIED" in note for note in safety("P08").notes)


def test_an_active_threshold_has_no_cell():
    with pytest.raises(InputError, match="train"):
        safety("P17")
    cells = dict(protocol("P15").cells) | {"threshold": protocol("P17").cells["threshold"]}
    own = type(protocol("P15"))("own", cells, (), (), "s", "s")
    found = safety(own)
    assert found.verdict == "not tabulated"
    assert "active" in str(found)


def test_a_threshold_by_watching_moves_the_intensity_up():
    seen = safety(Trains(10, 5), 110, method="visual")
    assert seen.verdict == "not tabulated"
    # 110 % of a threshold that is 11.3 % higher.
    assert "122 %" in str(seen)
    assert "120 %: 4.2 s and 130 %: 2.9 s" in str(seen)
    assert safety(Trains(10, 5), 110).verdict == "within what was tested"


@pytest.mark.parametrize(
    ("session", "percent", "words"),
    [
        (Trains(20, 1.6, 10, 5), 110, "within what was tested: 10 trains"),
        (Trains(20, 1.6, 11, 5), 110, "no source that was read"),
        (Trains(20, 1.6, 10, 0.9), 110, "too short above 100 %"),
        (Trains(20, 1.6, 10, 0.9), 100, "no source that was read"),
        (Trains(10, 5, 20, 55), 110, "no source that was read"),
        (Trains(10, 5, 20), 110, "is not known"),
    ],
)
def test_intervals_are_spoken_of_only_where_a_source_does(session, percent, words):
    assert words in next(note for note in safety(session, percent).notes if note.startswith("between trains"))


def test_one_train_has_no_interval_and_slow_trains_have_a_weekly_limit():
    notes = safety(Trains(1, 1600), 90).notes
    assert not any(note.startswith("between trains") for note in notes)
    assert any("1500 pulses a week" in note and "1600" in note for note in notes)
    assert any("never on the cortex" in note for note in safety(Trains(100, 0.1), 90).notes)


def test_every_print_has_source_and_disclaimer_and_none_says_safe():
    for found in (safety("P08"), safety("P15"), safety("P04a")):
        assert DISCLAIMER in str(found)
        assert "needs a clinician" in repr(found)
        assert "Wassermann 1998" in str(found)
        assert "secondary source" in str(found)
        assert " safe" not in str(found).lower().replace("safety", "")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: safety(Trains(10, 5)), "percent must be given"),
        (lambda: safety(Trains(10, 5), -1), "percent must be > 0"),
        (lambda: safety(Trains(10, 5), 100, method="eye"), "method must be one of"),
        (lambda: safety(10, 100), "trains must be Trains"),
        (lambda: Trains(0, 5), "freq_hz must be > 0"),
        (lambda: Trains(10, 5, 0), "trains must be a whole number"),
        (lambda: Trains(10, 5, 2, -1), "iti_s must be > 0"),
    ],
)
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(InputError, match=message):
        call()
