"""The placements, drive and engine of a study, as its file gives them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from efield.campaign.problems import Problems, Section
from efield.campaign.study import KINDS, STUDY_DEVICES, DriveChoice, EngineChoice
from efield.campaign.values import number_or_list, strict_number, strict_text
from efield.coils import stimulators
from efield.coils.model import Coil
from efield.coils.polarity import CURRENTS
from efield.delivered.intensity import drives, pulses_of
from efield.ground import checks
from efield.ground.errors import InputError
from efield.io.poses.pose_table import PoseTable
from efield.io.poses.reading import read_poses
from efield.sweeping.grid import PlacementGrid
from efield.targeting.fingerprint import digest


def read_placements(whole: Section, base: Path, heads: int) -> tuple[PlacementGrid | None, PoseTable | None]:
    section, problems = whole.section("grid"), whole.problems
    file = section.take("poses", strict_text, "")
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
    "pattern": lambda name, value: strict_text(name, value),
}


def read_drive(
    section: Section, loaded: Mapping[str, Coil], table: PoseTable | None, problems: Problems
) -> DriveChoice:
    didt: tuple[float, ...] = section.take("didt", number_or_list, (1e6,))
    percent: tuple[float, ...] = section.take("intensity_percent", number_or_list, ())
    stimulator = section.take("stimulator", lambda k, v: stimulators.load_stimulator(strict_text(k, v)).name, None)
    current = section.take("current", lambda k, v: checks.choice(k, strict_text(k, v), CURRENTS), CURRENTS[0])
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


def read_engine(section: Section, base: Path) -> EngineChoice:
    default = EngineChoice()
    kind = section.take("kind", lambda k, v: checks.choice(k, strict_text(k, v), KINDS), default.kind)
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
    "basis": (("reduced",), lambda name, value: strict_text(name, value)),
    "basis_tol": (("reduced",), _range(1e-6, 0.5)),
    "max_solves": (("reduced",), lambda name, value: checks.whole(name, value, 64, 1024)),
    "region_radius_mm": (("reduced",), _range(1.0, 200.0)),
    "seed": (("reduced",), lambda name, value: checks.whole(name, value, 0, 2**31)),
    "radius_mm": (("reduced",), _range(1.0, 60.0)),
    "tilt_deg": (("reduced",), _range(0.0, 45.0)),
    "distance_mm": (("reduced",), _pair),
    "device": (KINDS, lambda name, value: checks.choice(name, strict_text(name, value), STUDY_DEVICES)),
}
