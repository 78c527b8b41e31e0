"""The heads, coils and targets of a study, as its file names them."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from efield.campaign.problems import Section
from efield.campaign.study import CoilEntry, HeadEntry, TargetEntry, target_text
from efield.campaign.values import strict_number, strict_text
from efield.coils.model import Coil
from efield.ground import checks
from efield.ground.errors import InputError
from efield.head.tissue import conductivity, tissue_tag
from efield.io.load import HEAD_NAMES, HEAD_SUFFIXES
from efield.targeting.targets import parse_target

E = TypeVar("E")

#: Labels are coordinates of the store and parts of file names.
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def entries(whole: Section, key: str, short: str, make: Callable[[Section, str], E | None]) -> tuple[E, ...]:
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


def head_entry(section: Section, label: str, base: Path) -> HeadEntry:
    source = section.take("path", strict_text, "")
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


def coil_entry(section: Section, label: str, base: Path, loaded: dict[str, Coil]) -> CoilEntry | None:
    source = section.take("path", strict_text, "")
    section.need("path")
    if not source:
        return None
    entry = CoilEntry(label, source)
    file = entry.file(base)
    if ("/" in file or re.search(r"\.\w+$", file)) and not (base / file).is_file():
        raise InputError(f"the coil {file} must be a file that exists; there is none at {base / file}")
    loaded[label] = entry.load(base)
    return entry


def target_entry(section: Section, label: str, base: Path) -> TargetEntry:
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
    text = strict_text(name, value)
    parse_target(target_text(text, base))
    return text


def _conductivities(section: Section) -> tuple[tuple[int, float], ...]:
    """Tags and values in S/m of a table such as ``{ bone = 0.012 }``."""
    pairs: dict[int, float] = {}
    for key in section.values:
        tag = section.problems.attempt(section.name(key), lambda k=key: tissue_tag(k), 0)  # type: ignore[misc]
        value = section.take(key, lambda name, v, t=tag: conductivity(name, t, strict_number(name, v)), None)  # type: ignore[misc]
        if tag in pairs:
            section.problems.add(section.name(key), f"{section.name(key)} must be given once; {tag} stands already")
        if tag and value is not None:
            pairs[tag] = value
    return tuple(sorted(pairs.items()))
