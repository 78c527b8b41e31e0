"""What `efield plan` can be asked for, by options or in a plan.toml, and what holds where nothing was said."""

import tomllib
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_type_hints

import typer

from efield.app import options
from efield.dosing.words import METHODS, PHASES
from efield.ground import checks
from efield.ground.errors import InputError, naming
from efield.io.bounded.cursor import file_bytes
from efield.planning.misplacement import TECHNIQUES
from efield.planning.words import GOALS

SIDES: Final = ("left", "right")

#: Where pain is, and the area of M1 that stands for it.
SITES: Final = {"hand": "hand", "arm": "hand", "leg": "leg", "foot": "leg", "face": "face"}

#: The area beside it, which did better than the painful zone's own in one trial (Lefaucheur 2006).
ADJACENT: Final = {"hand": "face", "face": "hand", "leg": "hand"}
AREAS: Final = ("own", "adjacent", "hand")

#: What says the target where none is given.
_INSTEAD: Final = ("pain_side", "pain_site", "area")

#: What holds where neither an option nor the file says anything.
DEFAULTS: Final[dict[str, Any]] = {
    "head": "mni152",
    "coil": ["magstim-70mm-figure8"],
    "rmt_method": "emg",
    "pain_site": ["hand"],
    "area": "own",
    "goal": "along",
    "distance": 4.0,
    "placement": "navigated",
    "phase": "first",
    "device": "auto",
    "out": Path("efield-plan"),
    "force": False,
    "allow_collision": False,
}


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """The options of `efield plan`; None is what was not said."""

    plan: Annotated[Path | None, "plan.toml with any of these as keys; options go before it."] = None
    head: Annotated[str | None, "A shipped head, a mesh file, or a folder m2m_<id>; mni152."] = None
    coil: Annotated[list[str] | None, "Coil; several are ranked by the output that they need. Repeatable."] = None
    stimulator: Annotated[str | None, "Stimulator, if not the coil's usual one."] = None
    rmt: Annotated[float | None, "Resting motor threshold, percent of the maximum output."] = None
    rmt_method: Annotated[str | None, f"How it was found: {', '.join(METHODS)}; emg."] = None
    rmt_sd: Annotated[float | None, "Its standard deviation, percent of the maximum output."] = None
    rmt_pose: Annotated[
        Path | None, "File with the pose at which it was found; else over the hand area of the treated side."
    ] = None
    allow_collision: Annotated[bool | None, "Take --rmt-pose also where nobody holds a coil."] = None
    pain_side: Annotated[str | None, "Side of the pain, left or right: the target is on the other side."] = None
    pain_site: Annotated[
        list[str] | None, f"Where the pain is: {', '.join(SITES)}; hand. Repeatable: each target is planned."
    ] = None
    area: Annotated[
        str | None, "Area of M1: that of the pain (own), the one beside it (adjacent), or always the hand; own."
    ] = None
    target: Annotated[list[str] | None, "Target in the place of side and site, as in simulate; repeatable."] = None
    protocol: Annotated[str | None, "Published protocol (`efield protocol list`), such as P20."] = None
    percent: Annotated[float | None, "Intensity, percent of the threshold; that of the protocol, or 100."] = None
    goal: Annotated[str | None, f"What the placement is best at: {', '.join(GOALS)}; along."] = None
    distance: Annotated[float | None, "Smallest gap from scalp to casing (hair), mm; 4."] = None
    forbidden: options.Forbidden = None
    placement: Annotated[str | None, f"How the coil will be held: {', '.join(TECHNIQUES)}; navigated."] = None
    phase: Annotated[str | None, "Half of a biphasic pulse that counts: first or second."] = None
    conductivity: options.Conductivity = None
    conductivity_table: options.ConductivityTable = None
    device: Annotated[str | None, typer.Option(help=options.DEVICE_HELP, callback=options.known_device)] = None
    out: Annotated[Path | None, "Folder to write; efield-plan."] = None
    force: Annotated[bool | None, "Replace the plan of an earlier run."] = None


@dataclass(frozen=True)
class Settings:
    """A request with everything said; fields as the options of `efield plan`."""

    head: str
    coil: list[str]
    stimulator: str | None
    rmt: float
    rmt_method: str
    rmt_sd: float | None
    rmt_pose: Path | None
    allow_collision: bool
    target: list[str]
    protocol: str | None
    percent: float | None
    goal: str
    distance: float
    forbidden: list[str]
    placement: str
    phase: str
    conductivity: list[str]
    conductivity_table: Path | None
    device: str
    out: Path
    force: bool
    pain: list[str]


def settings(request: PlanRequest) -> Settings:
    """Options before the file, the file before the defaults; checked, before any work is done.

    Raises
    ------
    InputError
        That names the option or the key.
    """
    given = {one.name: getattr(request, one.name) for one in fields(request) if one.name != "plan"}
    said, file = {name: value for name, value in given.items() if value is not None}, _from_file(request.plan)
    for one in (said, file):
        _check_one_way(one)
    if said.keys() & set(_INSTEAD):
        file.pop("target", None)
    given = DEFAULTS | file | said
    if given.get("rmt") is None:
        raise InputError("a plan needs --rmt, the resting motor threshold in percent of the maximum output")
    chosen = _targets(given)
    checks.choice("--goal", given["goal"], GOALS)
    checks.choice("--placement", given["placement"], TECHNIQUES)
    checks.choice("--rmt-method", given["rmt_method"], METHODS)
    checks.choice("--phase", given["phase"], PHASES)
    if given.get("rmt_sd") is not None:
        checks.in_range("--rmt-sd", given["rmt_sd"], 0.0, 100.0)
    rest: dict[str, Any] = {
        one.name: given.get(one.name) for one in fields(Settings) if one.name not in ("target", "pain")
    }
    rest["coil"] = _several(given["coil"])
    for name in ("forbidden", "conductivity"):
        rest[name] = _several(given.get(name) or [])
    for name in ("out", "rmt_pose", "conductivity_table"):
        rest[name] = None if rest[name] is None else Path(rest[name])
    rest["rmt"] = checks.in_range("--rmt", given["rmt"], 1.0, 100.0)
    rest["distance"] = checks.length_mm("--distance", given["distance"])
    return Settings(target=list(chosen), pain=list(chosen.values()), **rest)


def _check_one_way(said: dict[str, Any]) -> None:
    """Refuse a target beside what would say another one."""
    if said.get("target") and (others := [name for name in _INSTEAD if name in said]):
        rivals = ", ".join(f"--{name.replace('_', '-')}" for name in others)
        raise InputError(f"--target must be given without {rivals}: it stands in their place; leave one of them out")


def _several(given: Any) -> list[str]:
    """One word or several, each once."""
    return list(dict.fromkeys([given] if isinstance(given, str) else given))


def _targets(given: dict[str, Any]) -> dict[str, str]:
    """The words for the targets, and why each is one, in words; sites with the same area are one target."""
    if given.get("target"):
        return dict.fromkeys(_several(given["target"]), "the target was given")
    if given.get("pain_side") is None:
        raise InputError("a plan needs --pain-side (left or right), or --target")
    side = checks.choice("--pain-side", given["pain_side"], SIDES)
    found: dict[str, str] = {}
    for site in _several(given["pain_site"]):
        target, why = _target(side, checks.choice("--pain-site", site, SITES), given["area"])
        found[target] = f"{found[target]}; {why}" if target in found else why
    return found


def _target(side: str, site: str, area: Any) -> tuple[str, str]:
    own = SITES[site]
    chosen = {"own": own, "adjacent": ADJACENT[own], "hand": "hand"}[checks.choice("--area", area, AREAS)]
    across = SIDES[1 - SIDES.index(side)]
    why = {"own": "contralateral to the pain", "adjacent": "beside the painful zone's area", "hand": "the hand area"}
    return f"m1-{chosen}-{across}", f"pain in the {side} {site}: {why[area]}"


def _from_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    with naming(path):
        try:
            found = tomllib.loads(file_bytes(path).decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"it must be TOML with a key for each option; instead: {error}") from error
        known = {one.name for one in fields(PlanRequest)} - {"plan"}
        given = {key.replace("-", "_"): value for key, value in found.items()}
        for key in given.keys() - known:
            near = get_close_matches(key, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InputError(f"its keys must be options of `efield plan`; instead it has {key!r}{hint}")
        kinds = get_type_hints(PlanRequest)
        return {key: _checked(key.replace("_", "-"), value, kinds[key]) for key, value in given.items()}


def _checked(key: str, value: Any, kind: Any) -> Any:
    """A value of the file, of the kind that the option is."""
    wanted = next(one for one in get_args(kind) if one is not type(None))
    if wanted is float:
        return checks.number(key, value)
    if wanted is bool:
        return checks.flag(key, value)
    words = value if isinstance(value, list) and wanted not in (str, Path) else [value]
    if not words or not all(isinstance(word, str) for word in words):
        raise InputError(
            f"{key} must be a text{'' if wanted in (str, Path) else ' or a list of texts'}; instead it is {value!r}"
        )
    return value
