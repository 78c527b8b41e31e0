"""What is prepared once, kept on disk for the next run: the solver of a head, the stored field of a coil."""

from contextlib import suppress
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.coils.compressed import TOLERANCE, CompressedCoil, compress
from efield.coils.model import Coil
from efield.fem.problem import FemProblem
from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh
from efield.io.kept import Kept
from efield.io.sealed import SealError
from efield.targeting.fingerprint import digest, head_digest, whole_coil_digest

#: Raised when what the arrays mean changes.
_FORMAT: Final = 5

#: Prepared solvers in a folder: a head refined at a target has one for each target. The default head's takes 85 MB.
_KEPT: Final = 5

#: The same of a coil's stored vector potential, and how many are kept.
_COIL_FORMAT: Final = 1
_COILS_KEPT: Final = 16


def prepared_problem(
    head: HeadMesh,
    sigma: NDArray[np.float64],
    folder: str | PathLike[str],
    *,
    tol: float,
    order: int,
    solver: str,
    device: str = "auto",
) -> FemProblem:
    """The problem of a head, its solver from a file of the folder if that is there, else made and kept there.

    Parameters
    ----------
    head, sigma, tol, order, solver, device
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
    kept = kept_solver(head, sigma, folder, solver)
    options: dict[str, Any] = {"tol": tol, "order": order, "solver": solver, "device": device}
    if order == 1:
        with suppress(InputError):  # a missing or damaged file, or one that fits no such problem
            return FemProblem(head, sigma, **options, prepared=kept.read())
    problem = FemProblem(head, sigma, **options)
    if (arrays := problem.prepared()) is not None:
        kept.write(arrays, _KEPT)
    return problem


def kept_solver(head: HeadMesh, sigma: NDArray[np.float64], folder: str | PathLike[str], solver: str) -> Kept:
    """The file of a prepared solver."""
    made_of = {"format": _FORMAT, "head": head_digest(head), "conductivity": digest(sigma), "solver": solver}
    return Kept(Path(folder), "solver", made_of)


@lru_cache(maxsize=8)
def prepared_coil(coil: Coil, folder: Path | None) -> CompressedCoil:
    """The coil's stored vector potential, from a file of the folder if that is there, else made and kept there.

    Parameters
    ----------
    coil : Coil
        Made of dipoles or wire segments.
    folder : Path or None
        As in `prepared_problem`; without one nothing is read or written.
    """
    if folder is None:
        return compress(coil)
    kept = kept_coil(coil, folder)
    with suppress(SealError):  # missing or damaged
        return CompressedCoil.from_arrays(coil, TOLERANCE, kept.read())
    made = compress(coil)
    kept.write(made.to_arrays(), _COILS_KEPT)
    return made


def kept_coil(coil: Coil, folder: Path) -> Kept:
    """The file of a coil's stored vector potential."""
    made_of = {"format": _COIL_FORMAT, "coil": whole_coil_digest(coil), "tolerance": TOLERANCE}
    return Kept(folder, "coil", made_of)
