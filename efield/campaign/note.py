"""The note of a study's store: what is computed, written once when the store is begun."""

import json
import os
from pathlib import Path
from typing import Any, Final

from efield.campaign.files import NOTE
from efield.campaign.study import Study
from efield.campaign.survey import Survey
from efield.ground.errors import FileFormatError
from efield.ground.version import __version__, version
from efield.io import sealed
from efield.io.sealed import SealError
from efield.targeting.fingerprint import digest

#: Of the note and of the markers. Since 3 poses are called `pose`, and heads are over `head_name`.
FORMAT: Final = 3


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
    if study.engine.device == "cpu":  # what stores that know no devices were computed on
        del found["engine.device"]
    found |= {"output.measures": study.measures, "output.fields": study.fields, "output.chunk": study.chunk}
    return dict(json.loads(json.dumps(found)))


def differences(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Names of the settings that are not the same."""
    return [name for name in dict.fromkeys([*was, *now]) if was.get(name) != now.get(name)]


def versions() -> dict[str, str]:
    """Of the packages that numbers may depend on."""
    return {name: version(name) for name in ("numpy", "scipy", "numba", "zarr")}


def write_note(folder: Path, study: Study, facts: Survey, made_with: dict[str, str]) -> None:
    """Write the note of a store that is begun."""
    document = dict(study.document)
    # Where the store lies does not change what is in it.
    document["output"] = {key: value for key, value in document.get("output", {}).items() if key != "folder"}
    note = {
        "settings": settings(study),
        "survey": facts.to_json(),
        "document": document,
        "base": os.path.relpath(study.base, folder.absolute()),
        "made_with": made_with,
    }
    sealed.write_note(folder / NOTE, note, version=FORMAT, lasting=True)


def read_note(note: Path) -> dict[str, Any]:
    """What `write_note` wrote.

    Raises
    ------
    FileFormatError
        If it is not there, damaged, or of another format.
    """
    if not note.exists():
        raise FileFormatError(f"{note.parent} must be a store that `efield sweep` wrote; it has no {note.name}")
    try:
        return sealed.read_note(note, version=FORMAT, remedy=remedy(note))
    except SealError:
        if (format := _format_of(note)) < FORMAT:
            raise FileFormatError(
                f"{note.parent} must be a store of format {FORMAT}; instead it has {format}, which calls poses and "
                "heads otherwise: run the study again with another --out, or use the version of efield that wrote it; "
                "its tables and sweep.zarr are as readable as they were"
            ) from None
        raise


def remedy(note: Path) -> str:
    """How to get a note that was lost."""
    return (
        f"begin the same study with --out in another folder beside {note.parent}, stop it, and copy its {note.name} "
        "to here"
    )


def _format_of(note: Path) -> int:
    """The format that a note states, damaged or not; ours where it states none."""
    try:
        found = json.loads(note.read_text()).get("format")
    except (OSError, ValueError, RecursionError, AttributeError):
        return FORMAT
    return found if isinstance(found, int) and not isinstance(found, bool) else FORMAT
