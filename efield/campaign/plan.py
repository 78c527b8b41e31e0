"""From a study file to a checked `Study`: everything that can be known without work is checked, and told at once."""

import tomllib
from os import PathLike
from pathlib import Path
from typing import Any, Final

from efield.campaign.entries import coil_entry, entries, head_entry, target_entry
from efield.campaign.problems import Problems, Section, StudyError
from efield.campaign.settings import read_drive, read_engine, read_placements
from efield.campaign.study import CHUNK_OF, EngineChoice, Study, TargetEntry, located
from efield.campaign.values import strict_text
from efield.coils.model import Coil
from efield.delivered.intensity import pulses_of
from efield.ground import checks
from efield.ground.errors import FileFormatError, InputError
from efield.io.bounded.stand_in import check_no_stand_in
from efield.sweeping.engines import columns
from efield.targeting.measures import unknown
from efield.targeting.targets import Target

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
    heads = entries(whole, "heads", "path", lambda section, label: head_entry(section, label, base))
    loaded: dict[str, Coil] = {}
    coils = entries(whole, "coils", "path", lambda section, label: coil_entry(section, label, base, loaded))
    targets = entries(whole, "targets", "name", lambda section, label: target_entry(section, label, base))
    engine = read_engine(whole.section("engine"), base)
    grid, table = read_placements(whole, base, len(heads))
    drive = read_drive(whole.section("drive"), loaded, table, problems)
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
    folder = kept.take("folder", strict_text, "")
    if output is None and not folder:
        kept.need("folder")
    kept.close()
    _check_together(engine, base, len(heads) * len(coils) * len(targets) == 1, problems)
    whole.take("title", strict_text, "")
    whole.close()
    if problems.found:
        raise StudyError(name, problems.in_order())
    place = str(output) if output is not None else located(folder, base)
    poses, recording = (None if table is None else table.matrices), (table if drive.recorded else None)
    options = (drive, engine, measures, fields, chunk, place, recording)
    return Study(document, base, heads, coils, targets, grid, poses, *options)


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
    chosen = [strict_text(name, one) for one in value]
    for one in chosen:
        if one not in known:
            raise unknown(one, known)
    return tuple(measure for measure in known if measure in chosen)
