"""The sheet of a plan: one self-contained page that prints on A4, and two plans side by side."""

import json
from base64 import b64encode
from collections.abc import Sequence
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from efield.ground.errors import InputError, naming
from efield.io.atomic import replacing
from efield.io.bounded.cursor import file_bytes

#: Measures that the sheet shows, in this order, where they are there.
_SHOWN: Final = ("mean_magnitude", "along", "angle", "p99_magnitude", "normal_mean")

#: What a gain is a gain of.
_GAIN_OF: Final = {
    "along": "of E along the preferred direction",
    "magnitude": "of mean |E| in the target",
    "focality": "of focality",
}

#: What two plans are compared by: a name, and where it is in plan.json.
_COMPARED: Final = {
    "head": ("head",),
    "coil": ("coil",),
    "target": ("target", "name"),
    "output (% of the maximum)": ("output_percent",),
    "goal": ("optimum", "goal"),
    "goal at 1 A/us": ("optimum", "value_says"),
    "gain over the plain placement": ("optimum", "gain_says"),
    "angle of the induced current (deg)": ("optimum", "place", "angle_deg"),
    "5 % lost at (mm)": ("optimum", "tolerance_mm"),
    "5 % lost at (deg)": ("optimum", "tolerance_deg"),
    "mean |E| at the output (5 to 95 %)": ("uncertainty", "text", "mean_magnitude"),
    "protocol": ("protocol", "name"),
    "pulses a session": ("protocol", "pulses"),
    "safety": ("safety", "verdict"),
    "feasibility": ("feasibility", "verdict"),
}

#: The same of targets after the first.
_OF_MORE: Final = {name: _COMPARED[name] for name in ("target", "coil", "output (% of the maximum)", "goal at 1 A/us")}


def write_sheet(path: Path, document: dict[str, Any], pictures: Sequence[Sequence[Path]]) -> None:
    """Write the sheet of a plan; pictures, of each target three sides and loss, become part of it: it opens offline."""
    from jinja2 import Environment

    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        files("efield.app").joinpath("plan.html.jinja").read_text(encoding="utf-8")
    )
    parts = [
        {"part": part, "images": [_inline(picture) for picture in shown], "measures": _measures(part)}
        for part, shown in zip(document["targets"], pictures, strict=True)
    ]
    text = template.render(plan=document, parts=parts, goals=_GAIN_OF)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _inline(picture: Path) -> str:
    return f"data:image/png;base64,{b64encode(picture.read_bytes()).decode()}"


def _measures(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Meaning, value with interval, and causes of each measure that is shown."""
    sure = document["uncertainty"]
    rows = []
    for name in _SHOWN:
        if name in sure["text"]:
            row = sure["measures"][name]
            causes = {key[3:]: share for key, share in row.items() if key.startswith("of ")}
            said = ", ".join(f"{cause} {100 * share:.0f} %" for cause, share in causes.items())
            rows.append((document["measures"][name]["meaning"], sure["text"][name], said))
    return rows


def read_plan(path: Path) -> dict[str, Any]:
    """The document of a plan: its folder, or its plan.json.

    Raises
    ------
    InputError
        If there is none.
    """
    file = path / "plan.json" if path.is_dir() else path
    with naming(file):
        try:
            document = json.loads(file_bytes(file))
        except (ValueError, RecursionError) as error:
            raise InputError(f"it must be a plan.json that `efield plan` wrote; instead: {error}") from error
        if not isinstance(document, dict) or not {"output_percent", "optimum", "provenance"} <= document.keys():
            raise InputError("it must be a plan.json that `efield plan` wrote; instead it is another document")
    return document


def compared(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Rows of two plans side by side: what, and both values; of targets after the first their names and outputs."""
    rows = [(name, _at(one, keys), _at(other, keys)) for name, keys in _COMPARED.items()]
    more = [plan.get("targets", [])[1:] for plan in (one, other)]
    for number, (a, b) in enumerate(zip_longest(*more, fillvalue={}), 2):
        rows += [(f"target {number}: {name}", _at(a, keys), _at(b, keys)) for name, keys in _OF_MORE.items()]
    return rows


def _at(document: dict[str, Any], keys: tuple[str, ...]) -> str:
    found: Any = document
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return f"{found:.4g}" if isinstance(found, float) else "n/a" if found is None else str(found)
