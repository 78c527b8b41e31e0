"""Progress: silence, a bar, or the caller's own callable."""

import io
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from efield.ground import progress
from efield.ground.errors import InputError
from efield.ground.progress import Bar, told


@pytest.mark.parametrize("asked", [None, False])
def test_without_progress_nothing_is_said(asked, capsys):
    with told(asked, "solving", "placements", 3) as tell:
        tell(3, 3, "all")
    assert capsys.readouterr() == ("", "")


def test_a_callable_is_told_as_it_is():
    seen = []
    with told(lambda *args: seen.append(args), "solving", "placements", 3) as tell:
        tell(1, 3, "a note")
    assert seen == [(1, 3, "a note")]


@pytest.mark.parametrize("asked", ["yes", 1, 0, 2.5])
def test_what_is_neither_is_refused_with_the_remedy(asked):
    with pytest.raises(InputError, match="give True for a bar"), told(asked, "solving", "placements"):
        pass


def test_a_log_gets_plain_lines_on_standard_error_and_says_the_end_once(capsys):
    with told(True, "solving", "placements", 2) as tell:
        tell(1, 2, "[red]")
        tell(2, 2, "")
        tell(2, 2, "")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "solving: 1 of 2 placements, [red]"
    assert err.count("2 of 2 placements") == 1
    assert "\x1b" not in err


def test_what_was_found_done_is_not_counted_as_work(monkeypatch):
    clock = iter([10.0, 11.0, 12.0])
    monkeypatch.setattr(progress, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(progress, "_LOG_EVERY", 0.0)
    log = io.StringIO()
    with Bar("sweep", 100, "placements", Console(file=log)) as bar:
        bar(0, 100, "looking")
        bar(90, 100)
        bar(92, 100)
    assert "92 of 100 placements, 2 placements/s, 4 s left" in log.getvalue()


def test_a_terminal_gets_a_bar_and_text_is_not_taken_for_markup():
    screen = io.StringIO()
    with Bar("a [b]", 2, "pieces", Console(file=screen, force_terminal=True, width=100)) as bar:
        bar(2, 2, "[/x]")
    assert "a [b]" in screen.getvalue()
    assert "2/2" in screen.getvalue()
    assert "[/x]" in screen.getvalue()


def test_a_notebook_gets_a_bar_of_the_browsers(monkeypatch):
    shown = []

    class ZMQInteractiveShell:
        pass

    def display(what, display_id):
        shown.append(what)
        return SimpleNamespace(update=shown.append)

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=ZMQInteractiveShell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    with told(True, "a < b", "pieces", 4) as tell:
        tell(3, 4, "<script>")
    html = shown[-1]._repr_html_()
    assert 'value="3" max="4"' in html
    assert "a &lt; b" in html
    assert "<script>" not in html
