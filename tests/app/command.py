"""The command line, as a user's shell runs it."""

import sys

import pytest

from efield.app.cli import main


def run(monkeypatch, *arguments):
    """Exit code of ``efield ARGUMENTS``."""
    monkeypatch.setattr(sys, "argv", ["efield", *map(str, arguments)])
    with pytest.raises(SystemExit) as leaving:
        main()
    return leaving.value.code or 0
