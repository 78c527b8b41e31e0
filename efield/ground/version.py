"""The version of the package, where every floor can read it, and those of others."""

from functools import cache

__version__ = "0.2.0"


@cache
def version(package: str) -> str:
    """Of a package that is installed; it is looked up once."""
    from importlib import metadata  # takes longer than importing ours

    return metadata.version(package)
