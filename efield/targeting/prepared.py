"""A prepared solver kept on disk, so that the next run of the same head and conductivities need not prepare it.

A file belongs to one head, one set of conductivities and one version of everything that computes: its name is the hash
of these, and its seal covers name and content. What is missing, damaged or made by other versions is made again.
"""

import json
import os
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.fem.problem import FemProblem
from efield.ground.errors import InputError
from efield.ground.version import __version__
from efield.head.mesh import HeadMesh
from efield.io.sealed import read_arrays, write_arrays
from efield.targeting.fingerprint import digest, head_digest

#: Raised when what the arrays mean changes.
_FORMAT: Final = 2

#: Whose versions decide on the numbers in a file.
_PACKAGES: Final = ("numpy", "scipy", "pyamg", "numba")

#: Prepared solvers in a folder: a head refined at a target has one for each target. The default head's takes 85 MB.
#: Those unused for longest go first.
_KEPT: Final = 5

_PREFIX, _SUFFIX = "solver-", ".arrays"

_REMEDY: Final = "it is made again"


def prepared_problem(
    head: HeadMesh, sigma: NDArray[np.float64], folder: str | os.PathLike[str], *, tol: float, order: int, solver: str
) -> FemProblem:
    """The problem of a head, its solver from a file of the folder if that is there, else made and kept there.

    Parameters
    ----------
    head, sigma, tol, order, solver
        As for `FemProblem`. Direct solvers and those of second order are neither read nor kept.
    folder : path_like
        Made if it does not exist. Where it cannot be written, or the disk is full, nothing is kept, and nothing fails.

    Returns
    -------
    FemProblem
        The same bits either way.

    Raises
    ------
    InputError
        As `FemProblem`.
    """
    context = _context(head, sigma, solver)
    path = Path(folder) / f"{_PREFIX}{sha256(context.encode()).hexdigest()[:20]}{_SUFFIX}"
    if order == 1:
        with suppress(InputError):  # a missing or damaged file, or one that fits no such problem
            arrays = read_arrays(path, context=context, remedy=_REMEDY)
            problem = FemProblem(head, sigma, tol=tol, order=order, solver=solver, prepared=arrays)
            with suppress(OSError):
                os.utime(path)
            return problem
    problem = FemProblem(head, sigma, tol=tol, order=order, solver=solver)
    # A folder that cannot be written, or a full disk, costs the next run the preparation, nothing more.
    with suppress(OSError, InputError):
        _keep(problem, path, context)
    return problem


def _context(head: HeadMesh, sigma: NDArray[np.float64], solver: str) -> str:
    packages = {name: version(name) for name in _PACKAGES} | {"efield": __version__}
    made_of = {"head": head_digest(head), "conductivity": digest(sigma), "solver": solver}
    return json.dumps({"prepared solver": _FORMAT, **made_of, **packages})


def _keep(problem: FemProblem, path: Path, context: str) -> None:
    arrays = problem.prepared()
    if arrays is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(path, arrays, context=context)
    by_use = sorted(path.parent.glob(f"{_PREFIX}*{_SUFFIX}"), key=lambda file: file.stat().st_mtime)
    for old in by_use[:-_KEPT]:
        old.unlink(missing_ok=True)
