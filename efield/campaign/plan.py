"""From a study file to a checked `Study`: everything that can be known without work is checked, and told at once."""

import re
import tomllib
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from efield.campaign.problems import Problems, Section, StudyError
from efield.campaign.study import (
    CHUNK_OF,
    KINDS,
    STUDY_DEVICES,
    CoilEntry,
    DriveChoice,
    EngineChoice,
    HeadEntry,
    Study,
    TargetEntry,
    located,
    number_or_list,
    strict_number,
    target_text,
)
from efield.coils import stimulators
from efield.coils.model import Coil
from efield.coils.polarity import CURRENTS
from efield.delivered.intensity import drives, pulses_of
from efield.ground import checks
from efield.ground.errors import FileFormatError, InputError
from efield.head.tissue import tissue_tag
from efield.io.bounded.stand_in import check_no_stand_in
from efield.io.load import HEAD_NAMES, HEAD_SUFFIXES
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.reading import read_poses
from efield.sweeping.engines import columns
from efield.sweeping.grid import PlacementGrid
from efield.targeting.fingerprint import digest
from efield.targeting.measures import unknown
from efield.targeting.targets import Target, parse_target

E = TypeVar("E")

#: Labels are coordinates of the store and parts of file names.
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

_LARGEST_STUDY_BYTES: Final = 1 << 20
_LARGEST_CHUNK: Final = 1_000_000


def read_study(path: str | PathLike[str], output: str | PathLike[str] | None = None) -> Study:
    """Read and check a study.

    Parameters
    ----------
    path : path_like
        A TOML file; ``efield sweep new`` writes a commented one.
    output : path_like, optional
        Folder of the results, instead of the study's.

    Raises
    ------
    FileFormatError
        If the file cannot be read or is not TOML.
    StudyError
        If anything in it is wrong; all that was found is listed.
    """
    file = Path(path)
    try:
        data = file.read_bytes()[: _LARGEST_STUDY_BYTES + 1]
        if len(data) > _LARGEST_STUDY_BYTES:
            raise FileFormatError(f"{file} must be a study of at most 1 MB; it is larger: is it the right file?")
        check_no_stand_in(file, data)
        text = data.decode()
        document = tomllib.loads(text)
    except OSError as error:
        raise FileFormatError(f"{file} must be a file that can be read; instead: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FileFormatError(f"{file} must be TOML; instead: {error}") from error
    return parse_study(document, file.absolute().parent, text=text, name=str(file), output=output)


def parse_study(
    document: dict[str, Any],
    base: Path,
    *,
    text: str = "",
    name: str = "the study",
    output: str | PathLike[str] | None = None,
) -> Study:
    """A `Study` from plain values; arguments as in `read_study`, `text` to find lines in, `base` for relative files.

    Raises
    ------
    StudyError
        If anything is wrong.
    """
    problems = Problems(text)
    whole = Section(document, "", problems)
    heads = _entries(whole, "heads", "path", lambda section, label: _head(section, label, base))
    loaded: dict[str, Coil] = {}
    coils = _entries(whole, "coils", "path", lambda section, label: _coil(section, label, base, loaded))
    targets = _entries(whole, "targets", "name", lambda section, label: _target(section, label, base))
    engine = _engine(whole.section("engine"), base)
    grid, table = _placements(whole, base, len(heads))
    drive = _drive(whole.section("drive"), loaded, table, problems)
    if drive.recorded and table is not None:
        table = pulses_of(table)
    known = _known_measures(engine, targets)
    kept = whole.section("output")
    measures = kept.take("measures", lambda key, value: _measures(key, value, known), known)
    fields = kept.take("fields", checks.flag, False)
    if fields and engine.kind == "reciprocal":
        problems.add(
            "output.fields", "output.fields must be false with engine.kind = 'reciprocal', which has no fields"
        )
    chunk = kept.take("chunk", lambda k, v: checks.whole(k, v, 1, _LARGEST_CHUNK), CHUNK_OF.get(engine.kind, 64))
    folder = kept.take("folder", _text, "")
    if output is None and not folder:
        kept.need("folder")
    kept.close()
    _check_together(engine, base, len(heads) * len(coils) * len(targets) == 1, problems)
    whole.take("title", _text, "")
    whole.close()
    if problems.found:
        raise StudyError(name, problems.in_order())
    place = str(output) if output is not None else located(folder, base)
    poses, recording = (None if table is None else table.matrices), (table if drive.recorded else None)
    options = (drive, engine, measures, fields, chunk, place, recording)
    return Study(document, base, heads, coils, targets, grid, poses, *options)


def _entries(whole: Section, key: str, short: str, make: Callable[[Section, str], E | None]) -> tuple[E, ...]:
    """Labelled entries: a table of labels, or a list of names that are labels; text stands for {short = text}."""
    values = whole.values.get(key, {})
    if isinstance(values, list):
        names = [value for value in values if isinstance(value, str)]
        if len(names) < len(values):
            whole.problems.add(
                key, f"{key} must be a list of names, or a table of labels; instead it holds other things"
            )
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            whole.problems.add(key, f"{key} must hold each name once; instead {', '.join(repeated)} is there twice")
        # A file's label is its name without folders and suffix.
        values = {Path(name).name.split(".")[0] if "/" in name else name: name for name in names}
    whole.section(key)
    table = Section(values, key, whole.problems)
    if isinstance(values, Mapping) and not values:
        whole.problems.add(key, f"{key} must have at least one entry, such as {_EXAMPLES[key]}")
    made = []
    for label, value in table.values.items():
        place = f"{key}.{label}"
        if not _LABEL.fullmatch(label):
            whole.problems.add(place, f"the label {label!r} in {key} must be letters, digits, - and _, at most 64")
            continue
        section = Section(value if isinstance(value, Mapping) else {short: value}, place, whole.problems)
        entry = whole.problems.attempt(place, lambda s=section, x=label: make(s, x), None)  # type: ignore[misc]
        section.close()
        if entry is not None:
            made.append(entry)
    return tuple(made)


_EXAMPLES: Final = {
    "heads": 'mni = "mni152"',
    "coils": 'd70 = "magstim-70mm-figure8"',
    "targets": 'hand = "m1-hand-left"',
}


def _head(section: Section, label: str, base: Path) -> HeadEntry:
    source = section.take("path", _text, "")
    register = section.take("register", checks.flag, False)
    conductivity = _conductivities(section.section("conductivity"))
    section.need("path")
    if source and source not in HEAD_NAMES:
        section.problems.attempt(section.place, lambda: _check_head_file(source, base), None)
    return HeadEntry(label, source, register, conductivity)


def _check_head_file(source: str, base: Path) -> None:
    path = base / source
    if path.is_dir():
        return
    if not source.lower().endswith(HEAD_SUFFIXES):
        checks.choice(
            "a head", source, (*HEAD_NAMES, f"a folder m2m_<id>, a file that ends in {' or '.join(HEAD_SUFFIXES)}")
        )
    if not path.is_file():
        raise InputError(f"the head {source} must be a file that exists; there is none at {path}")


def _coil(section: Section, label: str, base: Path, loaded: dict[str, Coil]) -> CoilEntry | None:
    source = section.take("path", _text, "")
    section.need("path")
    if not source:
        return None
    entry = CoilEntry(label, source)
    file = entry.file(base)
    if ("/" in file or re.search(r"\.\w+$", file)) and not (base / file).is_file():
        raise InputError(f"the coil {file} must be a file that exists; there is none at {base / file}")
    loaded[label] = entry.load(base)
    return entry


def _target(section: Section, label: str, base: Path) -> TargetEntry:
    text = section.take("name", lambda name, value: _target_text(name, value, base), None)
    center = section.take("center_mm", lambda name, value: tuple(checks.vector(name, value).tolist()), None)
    radius = section.take("radius_mm", lambda name, value: checks.positive(name, strict_number(name, value)), None)
    direction = section.take("direction", lambda name, value: tuple(checks.unit_vector(name, value).tolist()), None)
    given = [key for key in ("name", "center_mm") if key in section.values]
    if len(given) != 1:
        found = " and ".join(given) or "neither"
        section.problems.add(
            section.place, f"{section.place} must have one of name and center_mm; instead it has {found}"
        )
    if direction is not None and "center_mm" not in section.values:
        section.problems.add(
            section.name("direction"), f"{section.place}.direction must go with center_mm; names have one"
        )
    return TargetEntry(label, text, center, radius, direction)


def _target_text(name: str, value: Any, base: Path) -> str:
    text = _text(name, value)
    parse_target(target_text(text, base))
    return text


def _placements(whole: Section, base: Path, heads: int) -> tuple[PlacementGrid | None, PoseTable | None]:
    section, problems = whole.section("grid"), whole.problems
    file = section.take("poses", _text, "")
    options: dict[str, Any] = {}
    for key, check in _GRID.items():
        value = section.take(key, check, None)
        if value is not None:
            options[key] = value
    section.close()
    if not file:
        if "grid" not in whole.values:
            problems.add("", "grid must be given: a table with radius_mm, spacing_mm, angles_deg, ..., or with poses")
        return _grid(options, problems), None
    if options:
        problems.add("grid.poses", f"grid.poses must stand alone; instead {', '.join(options)} are given as well")
    if heads > 1:
        problems.add(
            "grid.poses", f"grid.poses are places on one head; instead the study has {heads} heads: use a grid"
        )
    return None, problems.attempt("grid.poses", lambda: _poses(base, file), None)


def _poses(base: Path, file: str) -> PoseTable:
    found = read_poses(base / file)
    if not len(found):
        raise InputError(f"{file} must hold a pose that can be used; instead it has none")
    return found


def _grid(options: dict[str, Any], problems: Problems) -> PlacementGrid | None:
    """The grid; if it cannot be, everything that is wrong with its parts."""
    try:
        return PlacementGrid(**options)
    except InputError as error:
        before = len(problems.found)
        for key, value in options.items():
            problems.attempt(f"grid.{key}", lambda k=key, v=value: PlacementGrid(**{k: v}), None)  # type: ignore[misc]
        if len(problems.found) == before:
            problems.add("grid", str(error))
    return None


def _tilts(name: str, value: Any) -> tuple[tuple[float, float], ...]:
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise InputError(f"{name} must be pairs in degrees (about x, about y), [[0, 0], [5, 0]]; instead {value!r}")
    return tuple((strict_number(name, x), strict_number(name, y)) for x, y in value)


_GRID: Final[dict[str, Callable[[str, Any], Any]]] = {
    "radius_mm": strict_number,
    "spacing_mm": strict_number,
    "angles_deg": number_or_list,
    "tilts_deg": _tilts,
    "distances_mm": number_or_list,
    "pattern": lambda name, value: _text(name, value),
}


def _drive(section: Section, loaded: Mapping[str, Coil], table: PoseTable | None, problems: Problems) -> DriveChoice:
    didt: tuple[float, ...] = section.take("didt", number_or_list, (1e6,))
    percent: tuple[float, ...] = section.take("intensity_percent", number_or_list, ())
    stimulator = section.take("stimulator", lambda k, v: stimulators.load_stimulator(_text(k, v)).name, None)
    current = section.take("current", lambda k, v: checks.choice(k, _text(k, v), CURRENTS), CURRENTS[0])
    recorded: tuple[float, ...] = section.take("recorded", _multiples, ())
    section.close()
    if sum((bool(percent), "didt" in section.values, bool(recorded))) > 1:
        keys = "drive.didt, drive.intensity_percent and drive.recorded"
        problems.add("drive", f"{keys} must not be given together; each sets the drive")
    if "stimulator" in section.values and not percent and not recorded:
        problems.add(
            "drive.stimulator",
            "drive.stimulator needs drive.intensity_percent, percent of its maximum output, or drive.recorded",
        )
    if recorded:
        return _recorded(recorded, stimulator, current, loaded, table, problems)
    for value in percent:
        problems.attempt("drive", lambda v=value: checks.percent_of_output("drive.intensity_percent", v), 0.0)  # type: ignore[misc]
    values = percent or didt
    if len(set(values)) < len(values):
        problems.add("drive", f"the drives must be different; instead received {list(values)}")
    drive = DriveChoice(values, bool(percent), stimulator, current)
    for coil in loaded.values() if percent else ():
        problems.attempt("drive", lambda c=coil: drive.didt(c), None)  # type: ignore[misc]
    return drive


def _recorded(
    multiples: tuple[float, ...],
    stimulator: str | None,
    current: str,
    loaded: Mapping[str, Coil],
    table: PoseTable | None,
    problems: Problems,
) -> DriveChoice:
    """The intensity that each pose of the file has."""
    if table is None:
        problems.add("drive.recorded", "drive.recorded needs grid.poses, a file that holds the intensity of each pose")
        return DriveChoice(multiples, recorded="none")
    for coil in loaded.values():
        problems.attempt(
            "drive.recorded",
            lambda c=coil: drives(pulses_of(table), c, stimulator=stimulator, current=current),  # type: ignore[misc]
            None,
        )
    known = np.stack([table.columns[name] for name in sorted(table.columns)] or [np.zeros(len(table))])
    return DriveChoice(multiples, False, stimulator, current, digest(known))


def _multiples(name: str, value: Any) -> tuple[float, ...]:
    """True for the recorded intensity, a number or a list for multiples of it, false for another drive."""
    if isinstance(value, bool):
        return (1.0,) if value else ()
    return number_or_list(name, value)


def _engine(section: Section, base: Path) -> EngineChoice:
    default = EngineChoice()
    kind = section.take("kind", lambda k, v: checks.choice(k, _text(k, v), KINDS), default.kind)
    values: dict[str, Any] = {"kind": kind}
    known = section.values.get("kind", kind) == kind  # what follows from a wrong kind is not told as well
    for key, (kinds, check) in _ENGINE.items():
        value = section.take(key, check, None)
        if key in section.values and known and kind not in kinds:
            section.problems.add(
                section.name(key), f"engine.{key} must go with {' or '.join(kinds)}; the engine is {kind}"
            )
        elif value is not None:
            values[key] = value
    section.close()
    if (basis := values.get("basis")) and not (base / basis).is_dir():
        section.problems.add(
            "engine.basis", f"engine.basis must be a folder that exists; there is none at {base / basis}"
        )
    return EngineChoice(**values)


def _range(low: float, high: float) -> Callable[[str, Any], float]:
    return lambda name, value: checks.in_range(name, strict_number(name, value), low, high)


def _pair(name: str, value: Any) -> tuple[float, ...]:
    pair = number_or_list(name, value)
    if len(pair) != 2 or not 0 < pair[0] <= pair[1]:
        raise InputError(f"{name} must be least and largest distance, such as [2, 10]; instead received {value!r}")
    return pair


#: Options of the engines, the kinds they go with, and their checks.
_ENGINE: Final[dict[str, tuple[tuple[str, ...], Callable[[str, Any], Any]]]] = {
    "tol": (KINDS, _range(1e-12, 1e-3)),
    "order": (("full", "reduced"), lambda name, value: checks.whole(name, value, 1, 2)),
    "exact": (("full", "reciprocal"), lambda name, value: checks.flag(name, value)),
    "basis": (("reduced",), lambda name, value: _text(name, value)),
    "basis_tol": (("reduced",), _range(1e-6, 0.5)),
    "max_solves": (("reduced",), lambda name, value: checks.whole(name, value, 64, 1024)),
    "region_radius_mm": (("reduced",), _range(1.0, 200.0)),
    "seed": (("reduced",), lambda name, value: checks.whole(name, value, 0, 2**31)),
    "radius_mm": (("reduced",), _range(1.0, 60.0)),
    "tilt_deg": (("reduced",), _range(0.0, 45.0)),
    "distance_mm": (("reduced",), _pair),
    "device": (KINDS, lambda name, value: checks.choice(name, _text(name, value), STUDY_DEVICES)),
}


def _check_together(engine: EngineChoice, base: Path, single: bool, problems: Problems) -> None:
    """What only shows when the parts meet."""
    if engine.basis and not single and (base / engine.basis / "basis.json").exists():
        problems.add(
            "engine.basis", "engine.basis must hold one subfolder head.target.coil per cell; it is a single basis"
        )


def _known_measures(engine: EngineChoice, targets: tuple[TargetEntry, ...]) -> tuple[str, ...]:
    """What the engine can give for any of the targets."""
    along = any(target.directed for target in targets) or not targets
    direction = (0.0, 0.0, 1.0) if along else None
    return tuple(columns(engine.kind, Target.sphere(center_mm=(0, 0, 0), direction=direction)))


def _measures(name: str, value: Any, known: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise InputError(f"{name} must be a list of measures ({', '.join(known)}); instead received {value!r}")
    chosen = [_text(name, one) for one in value]
    for one in chosen:
        if one not in known:
            raise unknown(one, known)
    return tuple(measure for measure in known if measure in chosen)


def _conductivities(section: Section) -> tuple[tuple[int, float], ...]:
    """Tags and values in S/m of a table such as ``{ bone = 0.012 }``."""
    pairs: dict[int, float] = {}
    for key in section.values:
        tag = section.problems.attempt(section.name(key), lambda k=key: tissue_tag(k), None)  # type: ignore[misc]
        value = section.take(key, lambda name, v: checks.positive(name, strict_number(name, v)), None)
        if tag is not None and value is not None:
            pairs[tag] = value
    return tuple(sorted(pairs.items()))


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{name} must be text in quotes; instead received {value!r}")
    return value.strip()
