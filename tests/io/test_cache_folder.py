"""Where things are kept between runs follows the custom of each operating system."""

import platform
from pathlib import Path

import pytest

from efield.io.cache_folder import cache_folder


@pytest.mark.parametrize(
    ("system", "variable", "expected"),
    [
        ("Linux", None, "home/.cache/efield"),
        ("Linux", "XDG_CACHE_HOME", "chosen/efield"),
        ("Darwin", None, "home/Library/Caches/efield"),
        ("Windows", "LOCALAPPDATA", "chosen/efield"),
        ("Windows", None, "home/AppData/Local/efield"),
    ],
)
def test_the_folder_is_where_each_system_keeps_such_things(monkeypatch, tmp_path, system, variable, expected):
    monkeypatch.setattr(platform, "system", lambda: system)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "chosen"))
    assert cache_folder() == Path(tmp_path / expected)
