"""Where what can be computed again is kept between runs."""

from os import PathLike
from pathlib import Path

from efield.ground.own_folders import user_caches
from efield.io.load import HEAD_NAMES


def cache_folder() -> Path:
    """This user's folder for it, by the custom of the operating system; it need not exist."""
    return user_caches() / "efield"


def cache_for(head: str | PathLike[str]) -> Path | None:
    """The folder for what is made of a shipped head, which is asked for again and again; others would fill it."""
    return cache_folder() if head in HEAD_NAMES else None
