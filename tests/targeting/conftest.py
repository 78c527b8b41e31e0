"""Shared by the targeting tests: a table that is printed at the end of the run."""

import pytest

DEPTH_SPREAD_ROWS = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def depth_spread_rows(request):
    """Lines of the table of depth and spread, for the end of the report."""
    return request.config.stash.setdefault(DEPTH_SPREAD_ROWS, [])


def pytest_terminal_summary(terminalreporter, config):
    rows = config.stash.get(DEPTH_SPREAD_ROWS, [])
    if rows:
        terminalreporter.section("depth and spread of the catalog's coils against Deng 2013")
        for row in rows:
            terminalreporter.line(row)
