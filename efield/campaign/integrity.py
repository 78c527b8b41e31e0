"""Is a store as it was written? What is damaged is named; repairing computes just that again."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from efield.campaign.files import COMPLETE
from efield.campaign.run import Outcome, Runner, complete, in_this_process, listening
from efield.campaign.store import Store, reading, writing
from efield.campaign.tables import tables_stand
from efield.ground.progress import Progress, told
from efield.io.atomic import settle_file, settle_folder


@dataclass(frozen=True)
class Condition:
    """What a check found.

    Parameters
    ----------
    chunks, pending : int
        Chunks of the study, and those not finished.
    damaged : dict of str to list of str
        Files that differ from what was written, by chunk.
    metadata : tuple of str
        Files of the Zarr store that do not belong to a chunk and are missing or changed.
    tables : str
        "good", "damaged", or "not written yet".
    """

    chunks: int
    pending: int
    damaged: dict[str, list[str]]
    metadata: tuple[str, ...]
    tables: str

    @property
    def good(self) -> bool:
        """Whether nothing is damaged; a store may be unfinished and good."""
        return not self.damaged and not self.metadata and self.tables != "damaged"


def check(folder: str | Path, progress: Progress = None) -> Condition:
    """Read every file of a store and compare it with its hash.

    Parameters
    ----------
    folder : path_like
    progress : bool or callable, optional
        True shows a bar; a callable is told (done, total, note) of the chunks looked at.

    Raises
    ------
    InputError
        If it is not a store.
    """
    store = reading(folder)
    finished = list(store.finished())
    damaged: dict[str, list[str]] = {}
    with told(progress, "check", "chunks", len(finished)) as tell:
        for number, chunk in enumerate(finished, 1):
            if files := store.damage(chunk):
                damaged[chunk.name] = files
            tell(number, len(finished), "")
    total = sum(1 for _ in store.study.chunks())
    pending = total - len(finished)
    written = (store.folder / COMPLETE).exists()
    tables = ("good" if tables_stand(store) else "damaged") if written else "not written yet"
    return Condition(total, pending, damaged, tuple(_changed_metadata(store)), tables)


def _changed_metadata(store: Store) -> dict[str, bytes]:
    """Files of an empty store of this study that are missing or other than they should be, as they should be."""
    return {name: data for name, data in sorted(store.empty().items()) if not _holds(store.zarr / name, data)}


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def repair(folder: str | Path, runner: Runner | None = None, progress: Progress = None) -> Outcome:
    """Write the damaged metadata again, compute the damaged and the missing chunks, and write the tables.

    Parameters
    ----------
    folder : path_like
    runner, progress
        As in `efield.campaign.run.run`.

    Raises
    ------
    InputError
        If it is not a store, or what it was computed from is no longer as it was.
    """
    study = reading(folder).study
    with listening(study, progress) as ear, writing(study) as store:
        for name in _restored(store):
            ear.note(f"{name} written again")
        for chunk in list(store.finished()):
            if store.damage(chunk):
                store.forget(chunk)
                ear.note(f"chunk {chunk.name} ({study.cell_name(chunk.cell)}) is computed again")
        return complete(store, runner or in_this_process, ear)


def _restored(store: Store) -> list[str]:
    changed = _changed_metadata(store)
    # Beside the store, to be moved into it; what a kill leaves of it is cleared when the store is next written to.
    with TemporaryDirectory(prefix=".", dir=store.folder) as parent:
        fresh = Path(parent) / "fresh"
        for name, data in changed.items():
            (store.zarr / name).parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(data)
            settle_file(fresh)
            fresh.replace(store.zarr / name)
            settle_folder((store.zarr / name).parent)
    return list(changed)
