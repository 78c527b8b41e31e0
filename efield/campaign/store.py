"""The results of a study in a folder: written chunk by chunk, resumable, and able to say what is damaged.

    STORE/study.json       what is computed: the study, hashes of heads and coils
    STORE/sweep.zarr       the results (Zarr 3)
    STORE/chunks/*.json    one marker per finished chunk, with the SHA-256 of its files; written last
    STORE/bases/           reduced bases, if the engine is "reduced"
    STORE/table.*, complete.json    written when all chunks are finished; table.json says what its columns are
    STORE/lock             held while a process writes

A chunk without a marker is not finished and is computed again; one whose files do not match its marker is damaged.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from efield.campaign import disk
from efield.campaign.layout import Variable, make_empty, variables
from efield.campaign.lock import Lock
from efield.campaign.plan import parse_study
from efield.campaign.study import Chunk, Study
from efield.campaign.survey import Survey, survey
from efield.ground.card import Card, Carded, counted
from efield.ground.errors import FileFormatError, InputError
from efield.ground.progress import Progress
from efield.ground.version import __version__
from efield.io import sealed
from efield.io.atomic import new_folder, settle_file, settle_folder
from efield.io.sealed import SealError
from efield.targeting.fingerprint import coil_digest, digest

#: Of the note and of the markers. Since 3 poses are called `pose`, and heads are over `head_name`.
_FORMAT: Final = 3
_NOTE: Final = "study.json"
_ZARR: Final = "sweep.zarr"
_MARKERS: Final = "chunks"
BASES: Final = "bases"
_LOCK: Final = "lock"
TABLES: Final = ("table.parquet", "table.csv", "table.json")
COMPLETE: Final = "complete.json"


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
    """

    folder: Path
    study: Study
    facts: Survey
    made_with: dict[str, str]

    @property
    def zarr(self) -> Path:
        """The Zarr store, for ``xarray.open_zarr``."""
        return self.folder / _ZARR

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """The arrays that chunks fill."""
        return variables(self.study, self.facts)

    def marker(self, chunk: Chunk) -> Path:
        """The file that says a chunk is finished."""
        return self.folder / _MARKERS / f"{chunk.name}.json"

    def files(self, chunk: Chunk) -> list[str]:
        """Files of a chunk, relative to the Zarr store."""
        return [variable.file(chunk) for variable in self.variables if variable.of(chunk)]

    def pending(self) -> list[Chunk]:
        """Chunks that are not finished, in order."""
        markers = self.folder / _MARKERS
        found = set(os.listdir(markers)) if markers.is_dir() else set()
        return [chunk for chunk in self.study.chunks() if f"{chunk.name}.json" not in found]

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
            note = {"files": hashes, "made_of": dict(made_of)}
            sealed.write_note(self.marker(chunk), note, version=_FORMAT, context=self._context, lasting=True)

    def made_of(self, chunk: Chunk) -> dict[str, str] | None:
        """What a finished chunk was computed with; None if its marker cannot be read."""
        note = self._marker_note(chunk)
        return None if note is None else note["made_of"]

    def _marker_note(self, chunk: Chunk) -> dict[str, Any] | None:
        try:
            return sealed.read_note(self.marker(chunk), version=_FORMAT, context=self._context, remedy="")
        except SealError:
            return None

    @cached_property
    def _context(self) -> str:
        """What markers belong to: these heads, coils and targets."""
        return json.dumps(self.facts.to_json())

    def damage(self, chunk: Chunk) -> list[str]:
        """Files of a finished chunk that are not as they were written, relative to the store's folder."""
        note = self._marker_note(chunk)
        if note is None or sorted(note["files"]) != sorted(self.files(chunk)):
            return [f"{_MARKERS}/{chunk.name}.json"]
        hashes = note["files"].items()
        return [f"{_ZARR}/{name}" for name, wanted in hashes if sealed.digest_of(self.zarr / name) != wanted]

    def forget(self, chunk: Chunk) -> None:
        """Make a chunk unfinished, and the tables with it."""
        (self.folder / COMPLETE).unlink(missing_ok=True)
        self.marker(chunk).unlink(missing_ok=True)

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

    def make_empty(self, path: Path) -> None:
        """Write this store's Zarr store without results to a new folder."""
        make_empty(path, self.study, self.facts, self.notes)

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
    facts = None if (folder / _NOTE).exists() else survey(study, progress)
    with disk.room(folder):
        _make_folder(folder)
        with Lock(folder / _LOCK):
            disk.clear_leftovers(folder, folder / _MARKERS, folder / BASES)
            note = folder / _NOTE
            if note.exists():
                store = Store(folder, study, _same_study(note, study), _read_note(note)["made_with"])
            else:
                store = Store(folder, study, facts or survey(study), _versions())
                sealed.write_note(note, _note_of(store), version=_FORMAT, lasting=True)
            (folder / _MARKERS).mkdir(exist_ok=True)
            if not store.zarr.exists():
                with new_folder(store.zarr, lasting=True) as fresh:
                    store.make_empty(fresh)
            for left in store.zarr.rglob("*.partial"):
                left.unlink()
            yield store


def reading(folder: str | os.PathLike[str]) -> Store:
    """A store that exists, from its folder or from the Zarr store inside.

    Raises
    ------
    InputError
        If it is not a store, or its study can no longer be read.
    """
    place = Path(folder)
    if not (place / _NOTE).exists() and (place.parent / _NOTE).exists() and place.name == _ZARR:
        place = place.parent
    note = _read_note(place / _NOTE)
    base = Path(os.path.normpath(place.absolute() / note["base"]))
    study = parse_study(note["document"], base, name=f"the study in {place / _NOTE}", output=place)
    if any(note["settings"].get(name) != value for name, value in settings(study).items() if name != "efield"):
        raise FileFormatError(
            f"{place / _NOTE} must say the same to this version of efield ({__version__}) as to the one that wrote it; "
            f"instead its study means something else now: use version {note['settings']['efield']}"
        )
    return Store(place, study, Survey.from_json(note["survey"]), note["made_with"])


def settings(study: Study) -> dict[str, Any]:
    """All that the numbers and the arrays of a study depend on, as plain values by dotted name."""
    found: dict[str, Any] = {"efield": __version__}
    for kind in ("heads", "coils", "targets"):
        entries = getattr(study, kind)
        found[kind] = [entry.label for entry in entries]
        for entry in entries:
            found[f"{kind}.{entry.label}"] = {k: v for k, v in vars(entry).items() if k != "label"}
    if study.grid is not None:
        for name in ("radius_mm", "spacing_mm", "angles_deg", "tilts_deg", "distances_mm", "pattern"):
            found[f"grid.{name}"] = getattr(study.grid, name)
    else:
        found["grid.poses"] = digest(study.poses)
    found |= {f"drive.{key}": value for key, value in vars(study.drive).items()}
    found |= {f"engine.{key}": value for key, value in vars(study.engine).items()}
    found |= {"output.measures": study.measures, "output.fields": study.fields, "output.chunk": study.chunk}
    return dict(json.loads(json.dumps(found)))


def _note_of(store: Store) -> dict[str, Any]:
    study, document = store.study, dict(store.study.document)
    # Where the store lies does not change what is in it.
    document["output"] = {key: value for key, value in document.get("output", {}).items() if key != "folder"}
    return {
        "settings": settings(study),
        "survey": store.facts.to_json(),
        "document": document,
        "base": os.path.relpath(study.base, store.folder.absolute()),
        "made_with": store.made_with,
    }


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("numpy", "scipy", "numba", "zarr")}


def _same_study(note: Path, study: Study) -> Survey:
    """The facts of a store; refused unless it is of the same study."""
    stored = _read_note(note)
    was, now = stored["settings"], settings(study)
    facts = Survey.from_json(stored["survey"])
    changed = [name for name in dict.fromkeys([*was, *now]) if was.get(name) != now.get(name)]
    if not changed:
        pairs = zip(study.coils, facts.coils, strict=True)
        changed = [f"coils.{c.label} (its file)" for c, kept in pairs if coil_digest(c.load(study.base)) != kept]
    if changed:
        details = "; ".join(
            f"{name} was {json.dumps(was.get(name))}, is {json.dumps(now.get(name))}" if name in {*was, *now} else name
            for name in changed
        )
        raise InputError(
            f"{note.parent} must be the store of this study; instead it was begun with other settings ({details}): "
            "give another output folder, delete this one, or put the study back as it was"
        )
    return facts


def _read_note(note: Path) -> dict[str, Any]:
    if not note.exists():
        raise FileFormatError(f"{note.parent} must be a store that `efield sweep` wrote; it has no {note.name}")
    try:
        return sealed.read_note(note, version=_FORMAT, remedy=_remedy(note))
    except SealError:
        if (format := _format_of(note)) < _FORMAT:
            raise FileFormatError(
                f"{note.parent} must be a store of format {_FORMAT}; instead it has {format}, which calls poses and "
                "heads otherwise: run the study again with another --out, or use the version of efield that wrote it; "
                "its tables and sweep.zarr are as readable as they were"
            ) from None
        raise


def _format_of(note: Path) -> int:
    """The format that a note states, damaged or not; ours where it states none."""
    try:
        found = json.loads(note.read_text()).get("format")
    except (OSError, ValueError, RecursionError, AttributeError):
        return _FORMAT
    return found if isinstance(found, int) and not isinstance(found, bool) else _FORMAT


def _remedy(note: Path) -> str:
    return (
        f"begin the same study with --out in another folder beside {note.parent}, stop it, and copy its {note.name} "
        "to here"
    )


def _check_ours(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"the output folder must be a folder; instead {folder} is a file")
    ours = {_NOTE, _ZARR, _MARKERS, BASES, _LOCK, COMPLETE, *TABLES}
    found = [path.name for path in folder.iterdir()] if folder.exists() else []
    foreign = [name for name in found if name not in ours and name[0] != "."]
    if (folder / _NOTE).exists():
        return
    if any((folder / _MARKERS).glob("[0-9]*.json")):
        # Of which study? To go on would mix its results with those of another.
        note = folder / _NOTE
        raise FileFormatError(f"{note} must be as `efield sweep` wrote it; instead it is lost: {_remedy(note)}")
    if foreign:
        raise InputError(
            f"the output folder must be new, empty, or the store of this study; instead {folder} holds {foreign[0]}: "
            "choose another"
        )


def check_output(study: Study) -> Path:
    """Refuse an output folder that `writing` would refuse, without making it; the folder that exists on its disk.

    Raises
    ------
    InputError
        As `writing` does.
    """
    folder = Path(study.output).absolute()
    _check_ours(folder)
    if (folder / _NOTE).exists():
        _same_study(folder / _NOTE, study)
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise InputError(f"{folder} must be a folder that can be made and written; instead {nearest} forbids it")
    return nearest


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} must be a folder that can be made; instead: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise InputError(f"{folder} must be a folder that can be written")
