"""Errors a user can act on. The command line prints each as one line and exits with code 2."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


class EfieldError(Exception):
    """Base of every error `efield` raises on purpose.

    Examples
    --------
    >>> try:
    ...     ef.Pose(np.zeros((4, 4)))
    ... except ef.EfieldError as error:
    ...     print(str(error)[:32])
    the last row of pose matrix must
    """


class EfieldWarning(UserWarning):
    """Something that can be used as it is, and is most likely not what was meant; the message says what to give.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     grid = ef.PlacementGrid(angles_deg=(0.0, np.pi / 4))
    >>> caught[0].category is ef.EfieldWarning
    True
    """


class InputError(EfieldError, ValueError):
    """An argument, option or file content that cannot be used; the message says what to do."""


class FileFormatError(InputError):
    """A file that is missing, truncated or not of the format it claims."""


class OutsideHeadError(InputError):
    """A target or point that must lie in or on the head, and does not."""


class CollisionError(InputError):
    """A coil placement that would cut into the head."""


class SolverError(EfieldError, RuntimeError):
    """The linear solver did not reach its tolerance."""


class ForkError(EfieldError, RuntimeError):
    """A forked process that cannot compute; the message says how to start processes that can."""


class MissingDependencyError(EfieldError, ImportError):
    """An optional package is needed; the message says how to install it."""

    @classmethod
    def of(cls, what: str, extra: str, *packages: str) -> "MissingDependencyError":
        """What needs packages, the extra of this package that brings them, and the packages themselves.

        Whether this package can be had by its name, and which one would come, depends on the index that pip asks: a
        checkout and the packages' own names always work.
        """
        return cls(
            f'{what} needs {" and ".join(packages)}; install with: pip install ".[{extra}]" in the checkout of efield, '
            f"or anywhere: pip install {' '.join(packages)}"
        )


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """What this block finds wrong with the content of a file becomes a `FileFormatError` that names the file."""
    try:
        yield
    except FileFormatError:
        raise
    except InputError as error:
        raise FileFormatError(f"{path}: {error}") from error
