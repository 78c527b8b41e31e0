"""Steps of a long command: lines for people, or the protocol of all long calls."""

from efield.app.console import Steps


def walk(progress):
    steps = Steps(2, progress)
    for title in ("loading", "solving"):
        with steps(title):
            pass
    return steps


def test_steps_tell_a_callable_as_every_long_call_does(capsys):
    seen = []
    walk(lambda *told: seen.append(told))
    assert seen == [(0, 2, "loading"), (1, 2, "solving"), (2, 2, "")]
    assert capsys.readouterr().err == ""


def test_steps_are_shown_on_standard_error_or_not_at_all(capsys):
    assert list(walk(True).seconds) == ["loading", "solving"]
    assert "[2/2] solving" in capsys.readouterr().err
    assert list(walk(False).seconds) == ["loading", "solving"]
    assert capsys.readouterr() == ("", "")
