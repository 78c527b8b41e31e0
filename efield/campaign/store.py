"""The results of a study in a folder: written chunk by chunk, resumable, and able to say what is damaged.

    STORE/study.json       what is computed: the study, hashes of heads and coils
    STORE/sweep.zarr       the results (Zarr 3)
    STORE/chunks/*.json    one marker per finished chunk, with the SHA-256 of its files; written last
    STORE/bases/           reduced bases, if the engine is "reduced"
    STORE/potentials/      what was made for targets, if the engine is "reciprocal"; may be deleted, and is made again
    STORE/earlier/         the store before the study grew, while its results are taken over
    STORE/table.*, complete.json    written when all chunks are finished; table.json says what its columns are
    STORE/mesh_errors.json          of the best placement of each cell; may be deleted, and is made again
    STORE/lock             held while a process writes

A chunk without a marker is not finished and is computed again; one whose files do not match its marker is damaged.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
from numpy.typing import NDArray

from efield.campaign import disk
from efield.campaign.earlier import Earlier, Part, check_grows, describe, earlier_stores, finish_moving, set_aside
from efield.campaign.files import BASES, COMPLETE, EARLIER, LOCK, MARKERS, NOTE, POTENTIALS, TABLES, ZARR
from efield.campaign.layout import Variable, empty, variables
from efield.campaign.lock import Lock
from efield.campaign.markers import Markers
from efield.campaign.note import differences, read_note, remedy, settings, versions, write_note
from efield.campaign.plan import parse_study
from efield.campaign.routes import Routes
from efield.campaign.study import Chunk, Study
from efield.campaign.survey import Survey, survey
from efield.ground.card import Card, Carded, counted
from efield.ground.errors import FileFormatError, InputError
from efield.ground.progress import Progress
from efield.ground.version import __version__
from efield.io import sealed
from efield.io.atomic import new_folder, settle_file, settle_folder
from efield.targeting.fingerprint import whole_coil_digest


@dataclass(frozen=True, repr=False)
class Store(Carded):
    """A folder of results; made by `writing` or `reading`.

    Parameters
    ----------
    folder : Path
    study : Study
    facts : Survey
        What the heads and coils are; chunks computed with others are refused.
    made_with : dict of str to str
        Versions of the packages that the store was begun with.
    earlier : tuple of Earlier
        Stores of the study before it grew, from which results are taken over.
    """

    folder: Path
    study: Study
    facts: Survey
    made_with: dict[str, str]
    earlier: tuple[Earlier, ...] = ()

    @property
    def zarr(self) -> Path:
        """The Zarr store, for ``xarray.open_zarr``."""
        return self.folder / ZARR

    @cached_property
    def markers(self) -> Markers:
        """Of the finished chunks."""
        return Markers(self.folder, self.facts)

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """The arrays that chunks fill."""
        return variables(self.study, self.facts)

    def files(self, chunk: Chunk) -> list[str]:
        """Files of a chunk, relative to the Zarr store."""
        return [variable.file(chunk) for variable in self.variables if variable.of(chunk)]

    def pending(self) -> list[Chunk]:
        """Chunks that are not finished, in order."""
        found = self.markers.names()
        return [chunk for chunk in self.study.chunks() if chunk.name not in found]

    def part(self, chunk: Chunk) -> Part | None:
        """What is known of a chunk from before the study grew; None if nothing is."""
        if not self.earlier:
            return None
        route = self._routes.name(chunk.cell, self.facts.heads[chunk.cell.head].nodes)
        sources, known = [], np.zeros(chunk.count, bool)
        for earlier in self.earlier:
            found = earlier.known(self.study, self.facts, chunk, route)
            if found is not None and (new := (found[1] >= 0) & ~known).any():
                sources.append((earlier, found[0], np.where(new, found[1], -1)))
                known |= new
        return Part(known, sources) if sources else None

    @cached_property
    def _routes(self) -> Routes:
        return Routes(self.study)

    def missing(self, chunk: Chunk) -> NDArray[np.intp] | None:
        """Which placements of a chunk must be computed, counted from its first; None for all."""
        part = self.part(chunk)
        return None if part is None else np.flatnonzero(~part.known)

    def taken_over(self, chunk: Chunk) -> bool:
        """Finish a chunk with what is known from before the study grew, if that is all of it."""
        part = self.part(chunk)
        if part is None or not part.known.all():
            return False
        self.write(chunk, part.arrays(self.variables, chunk), part.made_of)
        return True

    def completed(self, chunk: Chunk, arrays: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """The values of all placements of a chunk, from those of the missing ones."""
        if (part := self.part(chunk)) is None:
            return arrays
        whole = part.arrays(self.variables, chunk)
        for variable in self.variables:
            if variable.of(chunk) and (axis := variable.placement_axis) is not None:
                np.moveaxis(whole[variable.name], axis, 0)[~part.known] = np.moveaxis(arrays[variable.name], axis, 0)
        return whole

    def drop_earlier(self) -> None:
        """Remove the stores of the study before it grew."""
        if (self.folder / EARLIER).exists():
            # A name that the next writer clears, if this one is killed before all is gone.
            gone = (self.folder / EARLIER).replace(self.folder / f".{EARLIER}")
            rmtree(gone)

    @cached_property
    def _arrays(self) -> dict[str, Any]:
        import zarr

        root = zarr.open_group(str(self.zarr), mode="r+", zarr_format=3)
        with zarr.config.set({"array.write_empty_chunks": True}):  # an array takes it when it is opened
            return {variable.path: root[variable.path] for variable in self.variables}

    def write(self, chunk: Chunk, arrays: Mapping[str, NDArray[Any]], made_of: Mapping[str, str]) -> None:
        """Store a finished chunk: its files, brought to the disk, and then its marker.

        Parameters
        ----------
        chunk : Chunk
        arrays : mapping of str to ndarray
            A value for each variable of the chunk, by the variable's name.
        made_of : mapping of str to str
            Hashes of what it was computed with.

        Raises
        ------
        DiskFullError
            If there is no room; the chunk is then not finished.
        """
        hashes = {}
        with disk.room(self.folder):
            for variable in self.variables:
                if not variable.of(chunk):
                    continue
                name = variable.file(chunk)
                # A half-written or damaged file would be read by Zarr before it writes the part of it that is used.
                (self.zarr / name).unlink(missing_ok=True)
                self._arrays[variable.path][variable.index(chunk)] = arrays[variable.name]
                settle_file(self.zarr / name)
                settle_folder((self.zarr / name).parent)
                hashes[name] = sealed.digest_of(self.zarr / name)
            self.markers.write(chunk, hashes, made_of)

    def damage(self, chunk: Chunk) -> list[str]:
        """Files of a finished chunk that are not as they were written, relative to the store's folder."""
        return self.markers.damage(chunk, self.files(chunk))

    def forget(self, chunk: Chunk) -> None:
        """Make a chunk unfinished, and the tables with it."""
        (self.folder / COMPLETE).unlink(missing_ok=True)
        self.markers.path(chunk).unlink(missing_ok=True)

    def finished(self) -> Iterator[Chunk]:
        """Chunks that have a marker."""
        left = {chunk.name for chunk in self.pending()}
        return (chunk for chunk in self.study.chunks() if chunk.name not in left)

    @property
    def notes(self) -> dict[str, str]:
        """Where the results come from: versions and all settings, for the Zarr store and the table."""
        return {
            "title": str(self.study.document.get("title", "")),
            "engine": self.study.engine.kind,
            "efield": __version__,
            **self.made_with,
            "field": "per tetrahedron, not recovered",
            "study": json.dumps(settings(self.study), sort_keys=True),
        }

    def empty(self) -> dict[str, bytes]:
        """The files of this store's Zarr store without results, by name."""
        return empty(self.study, self.facts, self.notes)

    def _card(self) -> Card:
        rows = (
            ("folder", str(self.folder)),
            ("placements", f"{self.study.count:,} in each of {counted(len(self.study.cells), 'cell')}"),
            ("engine", self.study.engine.kind),
        )
        return Card("Store", rows)


@contextmanager
def writing(study: Study, progress: Progress = None) -> Iterator[Store]:
    """The store of a study, made if it does not exist, and locked while the block runs.

    Parameters
    ----------
    study : Study
    progress : bool or callable, optional
        As in `survey`, of the heads that are looked at for a new store.

    Raises
    ------
    InputError
        If the folder holds something else or another study, or another process writes to it.
    StudyError
        If a head or target cannot be used.
    DiskFullError
        If there is no room.
    """
    folder = Path(study.output)
    _check_ours(folder)
    facts = None if (folder / NOTE).exists() else survey(study, progress)
    with disk.room(folder):
        _make_folder(folder)
        with Lock(folder / LOCK):
            disk.clear_leftovers(folder, folder / MARKERS, folder / BASES)
            disk.clear_leftovers(*(folder / POTENTIALS).glob("*"))
            finish_moving(folder)
            store = _standing(folder, study) or _begun(folder, study, facts or survey(study, progress))
            (folder / MARKERS).mkdir(exist_ok=True)
            if not store.zarr.exists():
                with new_folder(store.zarr, lasting=True) as fresh:
                    for name, data in store.empty().items():
                        (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                        (fresh / name).write_bytes(data)
            for left in store.zarr.rglob("*.partial"):
                left.unlink()
            yield store


def _standing(folder: Path, study: Study) -> Store | None:
    """The store that is there, if it is of the same study."""
    if not (folder / NOTE).exists():
        return None
    note = read_note(folder / NOTE)
    if differences(note["settings"], settings(study)):
        return None
    facts = Survey.from_json(note["survey"])
    pairs = zip(study.coils, facts.coils, strict=True)
    changed = [f"coils.{c.label} (its file)" for c, kept in pairs if whole_coil_digest(c.load(study.base)) != kept]
    if changed:
        raise InputError(
            f"{folder} must be the store of this study; instead it was begun with other settings "
            f"({describe(changed, {}, {})}): give another output folder, delete this one, or put the study back as it "
            "was"
        )
    return Store(folder, study, facts, note["made_with"], earlier_stores(folder))


def _begun(folder: Path, study: Study, facts: Survey) -> Store:
    """A new store; one that is there, of the study before it grew, is set aside."""
    check_grows(folder, study, facts, _before(folder))
    if (folder / NOTE).exists():
        set_aside(folder)
    earlier = earlier_stores(folder)
    made_with = earlier[0].made_with if earlier else versions()
    write_note(folder, study, facts, made_with)
    return Store(folder, study, facts, made_with, earlier)


def _before(folder: Path) -> list[Earlier]:
    """What a new study in a folder must not lose: the store that is there, and those before it."""
    here = [Earlier.read(folder)] if (folder / NOTE).exists() else []
    return [*here, *earlier_stores(folder)]


def reading(folder: str | os.PathLike[str]) -> Store:
    """A store that exists, from its folder or from the Zarr store inside.

    Raises
    ------
    InputError
        If it is not a store, or its study can no longer be read.
    """
    place = Path(folder)
    if not (place / NOTE).exists() and (place.parent / NOTE).exists() and place.name == ZARR:
        place = place.parent
    note = read_note(place / NOTE)
    base = Path(os.path.normpath(place.absolute() / note["base"]))
    study = parse_study(note["document"], base, name=f"the study in {place / NOTE}", output=place)
    if any(note["settings"].get(name) != value for name, value in settings(study).items() if name != "efield"):
        raise FileFormatError(
            f"{place / NOTE} must say the same to this version of efield ({__version__}) as to the one that wrote it; "
            f"instead its study means something else now: use version {note['settings']['efield']}"
        )
    return Store(place, study, Survey.from_json(note["survey"]), note["made_with"], earlier_stores(place))


def _check_ours(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"the output folder must be a folder; instead {folder} is a file")
    ours = {NOTE, ZARR, MARKERS, BASES, POTENTIALS, EARLIER, LOCK, COMPLETE, *TABLES}
    found = [path.name for path in folder.iterdir()] if folder.exists() else []
    foreign = [name for name in found if name not in ours and name[0] != "."]
    if (folder / NOTE).exists():
        return
    if any((folder / MARKERS).glob("[0-9]*.json")):
        # Of which study? To go on would mix its results with those of another.
        note = folder / NOTE
        raise FileFormatError(f"{note} must be as `efield sweep` wrote it; instead it is lost: {remedy(note)}")
    if foreign:
        raise InputError(
            f"the output folder must be new, empty, or the store of this study; instead {folder} holds {foreign[0]}: "
            "choose another"
        )


def check_output(study: Study) -> Path:
    """Refuse an output folder that `writing` would refuse at once, without making it; the one that exists on its disk.

    Raises
    ------
    InputError
        As `writing` does.
    """
    folder = Path(study.output).absolute()
    _check_ours(folder)
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise InputError(f"{folder} must be a folder that can be made and written; instead {nearest} forbids it")
    return nearest


def left(study: Study, facts: Survey) -> list[Chunk]:
    """What a run would compute: unfinished chunks, each with as many placements as are not known from before.

    Raises
    ------
    InputError
        As `writing` does, of a store that is of another study.
    """
    folder = Path(study.output)
    store = _standing(folder, study)
    if store is None:
        before = _before(folder)
        check_grows(folder, study, facts, before)
        store = Store(Path(os.devnull), study, facts, {}, tuple(before))
    found = []
    for chunk in store.pending():
        missing = store.missing(chunk)
        if missing is None or len(missing):
            found.append(chunk if missing is None else replace(chunk, count=len(missing)))
    return found


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} must be a folder that can be made; instead: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise InputError(f"{folder} must be a folder that can be written")
