"""Full solves that a reduced basis is made from and tested with; kept on disk, so that a killed build continues."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.basis.outputs import Outputs, Reader
from efield.basis.primary import Placed
from efield.ground.errors import InputError
from efield.ground.progress import Tell
from efield.io import sealed
from efield.io.sealed import SealError
from efield.targeting.fingerprint import check_same
from efield.targeting.simulate import Simulator

#: Placements solved and stored together: as many as the solver takes at a time, because one pass over its matrices
#: serves them all. Each has its own iteration, so a placement's bits do not depend on the others.
BLOCK: Final = 16

#: Of the note that says what a checkpoint belongs to.
_FORMAT: Final = 1

#: dI/dt of every snapshot, A/s: 1 A/us.
UNIT_DIDT: Final = 1e6


class Snapshots:
    """Fields at chosen places for lists of placed coils, block by block.

    Parameters
    ----------
    sim : Simulator
    outputs : Outputs
        Where the field is kept.
    planned : int
        Most solves, for the progress.
    settings : mapping of str to str
        What the snapshots depend on; a checkpoint of other settings is refused.
    checkpoint : Path, optional
        Folder for finished blocks; it is made if it does not exist.
    tell : callable
        Told the solves that are done and planned after each block, and the error so far.

    Raises
    ------
    InputError
        If the checkpoint belongs to other settings, or its folder cannot be made.
    """

    def __init__(
        self,
        sim: Simulator,
        outputs: Outputs,
        planned: int,
        settings: Mapping[str, str],
        checkpoint: Path | None,
        tell: Tell,
    ) -> None:
        self.outputs, self.planned = outputs, planned
        self._read, self._cache = Reader(sim.problem, outputs), sim.cache
        self._folder = None if checkpoint is None else _prepare(checkpoint, settings)
        self._settings = json.dumps(dict(settings), sort_keys=True)
        self._tell, self._done = tell, 0
        #: Largest relative error of E at the placements the basis is tuned with; None before the first fit.
        self.error: float | None = None

    def blocks(self, name: str, placed: Sequence[Placed], first: int = 0) -> Iterator[NDArray[np.float32]]:
        """(r * 3, b) E in V/m at 1 A/us for placed[first:], from a whole block on; `name` is the list's."""
        for k in range(first, len(placed), BLOCK):
            yield self._block(f"{name}-{k:05d}", placed[k : k + BLOCK])

    def fields(self, name: str, placed: Sequence[Placed]) -> NDArray[np.float32]:
        """(p, r, 3) E in V/m at 1 A/us."""
        columns = np.concatenate(list(self.blocks(name, placed)), axis=1)
        return np.ascontiguousarray(columns.T).reshape(len(placed), -1, 3)

    def _block(self, name: str, placed: Sequence[Placed]) -> NDArray[np.float32]:
        path = None if self._folder is None else self._folder / f"{name}.npy"
        e = None if path is None else self._read_block(path, (self.outputs.rows * 3, len(placed)))
        if e is None:
            e = self._solve(placed)
            if path is not None:
                sealed.write_array(path, e, context=self._settings)
        self._done += len(placed)
        note = "" if self.error is None else f"error {self.error:.1e} so far"
        self._tell(self._done, self.planned, note)
        return e

    def _read_block(self, path: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
        """A finished block; None if there is none, or if it is damaged or not of this place and build: solve again."""
        try:
            block = sealed.read_array(path, context=self._settings, remedy="")
        except SealError:
            return None
        return block if block.shape == shape and block.dtype == np.float32 else None

    def _solve(self, placed: Sequence[Placed]) -> NDArray[np.float32]:
        return self._read.solved(placed, UNIT_DIDT, self._cache).reshape(-1, len(placed)).astype(np.float32)


def _prepare(folder: Path, settings: Mapping[str, str]) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"checkpoint must be a folder that can be written; instead: {error.strerror}") from error
    note = folder / "settings.json"
    if note.exists():
        stored = sealed.read_note(note, version=_FORMAT, remedy="delete the checkpoint folder")
        check_same(stored, settings, f"the checkpoint in {folder}")
    else:
        try:
            sealed.write_note(note, settings, version=_FORMAT)
        except OSError:
            with suppress(OSError):  # of a full disk; what lies in the folder stays
                folder.rmdir()
            raise
    return folder
