"""The command line, as a user's shell runs it."""

import resource
import sys
from contextlib import contextmanager
from functools import cache

import pytest
import typer

from efield.app.cli import main
from efield.coils.polarity import induced_words
from efield.targeting.validation import validation_coil

#: All verbs and their options, made once for all runs of a process.
_command = cache(typer.main.get_command)


def run(monkeypatch, *arguments):
    """Exit code of ``efield ARGUMENTS``."""
    monkeypatch.setattr(sys, "argv", ["efield", *map(str, arguments)])
    monkeypatch.setattr(typer.main, "get_command", _command)
    with pytest.raises(SystemExit) as leaving:
        main()
    return leaving.value.code or 0


@contextmanager
def files_of_at_most(size):
    """As on a full disk: the system refuses to write more."""
    induced_words(validation_coil())  # Numba makes its threads with the first parallel kernel, and needs a file for it
    before, without = resource.getrlimit(resource.RLIMIT_FSIZE), sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # what is imported first in here would leave the beginning of its compiled file
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        sys.dont_write_bytecode = without
