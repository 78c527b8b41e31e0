"""Where what can be computed again is kept between runs."""

from pathlib import Path

from efield.ground.own_folders import user_caches


def cache_folder() -> Path:
    """This user's folder for it, by the custom of the operating system; it need not exist."""
    return user_caches() / "efield"
