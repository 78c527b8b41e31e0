"""Markers of Localite's TMS Navigator: set by hand (InstrumentMarkerList), or one for a pulse (TriggerMarkerList)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

import numpy as np

from efield.ground.units import AMPERE_PER_MICROSECOND
from efield.io.bounded.cursor import Cursor
from efield.io.bounded.markup import markup
from efield.io.poses.axes import FRAMES, to_theirs
from efield.io.poses.raw import FloatArray, Raw, Told
from efield.io.poses.words import finite_number, on_one_line

if TYPE_CHECKING:
    from efield.io.poses.pose_table import PoseTable

LISTS: Final = {"InstrumentMarkerList": "InstrumentMarker", "TriggerMarkerList": "TriggerMarker"}
_CELLS: Final = tuple(f"data{row}{column}" for row in range(4) for column in range(4))


def read_localite(cursor: Cursor, told: Told) -> Raw:
    """Markers; those whose matrix is the identity are dropped: the coil was not seen by the camera.

    Raises
    ------
    FileFormatError
        If the file is neither list, does not say its axes, or a matrix is incomplete.
    """
    root = markup(cursor)
    if root.tag not in LISTS:
        raise cursor.error(f"a Localite file must be one of {', '.join(LISTS)}; instead it is {str(root.tag)[:40]!r}")
    said = root.get("coordinateSpace", "")
    frame = told.frame or said.upper()
    if frame not in FRAMES:
        raise cursor.error(
            f"coordinateSpace must be {' or '.join(FRAMES)}; instead it is {said[:40]!r}: say which (--frame)"
        )
    raw = Raw(axes=told.axes or "localite", frame=frame, said=said)
    for number, marker in enumerate(root.iter(LISTS[root.tag])):
        name = _name(marker) or f"marker {number}"
        matrix = _matrix(cursor, name, marker)
        if np.array_equal(matrix, np.eye(4)):
            raw.drop(name, "the coil was not tracked (its matrix is the identity)")
        else:
            raw.add(name, matrix, LISTS[root.tag].removesuffix("Marker").lower(), _pulse(marker))
    return raw


def _name(marker: Element) -> str:
    inner = marker.find("Marker")
    return (marker.get("description") or (inner.get("description") if inner is not None else "") or "").strip()


def _matrix(cursor: Cursor, name: str, marker: Element) -> FloatArray:
    element = next(marker.iter("Matrix4D"), None)
    if element is None:
        raise cursor.error(f"marker {name[:40]!r} must have a Matrix4D; instead it has none: export it again")
    try:
        # What a version leaves out is the last row.
        cells = [element.get(key, str(float(key == "data33")) if key.startswith("data3") else "") for key in _CELLS]
        return np.array([float(cell) for cell in cells]).reshape(4, 4)
    except ValueError as error:
        raise cursor.error(f"Matrix4D of {name[:40]!r} must be 16 numbers; instead: {error}; damaged file") from error


def _pulse(marker: Element) -> dict[str, float | None]:
    answers = dict(_answers(marker))
    time, rate = finite_number(marker.get("recordingTime")), answers.get("valueA")
    return {
        "time_s": None if time is None else time / 1000.0,
        "didt": None if rate is None else rate * AMPERE_PER_MICROSECOND,
        "intensity_percent": answers.get("amplitudeA"),
    }


def _answers(marker: Element) -> Iterator[tuple[str, float]]:
    for value in marker.iter("Value"):
        number = finite_number(value.get("response"))
        if number is not None:
            yield value.get("key", ""), number


def write_localite(table: "PoseTable") -> bytes:
    """Trigger markers if anything is known of pulses, else instrument markers; RAS."""
    kind = "TriggerMarkerList" if table.is_pulse.any() else "InstrumentMarkerList"
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<{kind} coordinateSpace="RAS">']
    matrices = to_theirs(table.matrices, "localite")
    for number, (name, says, matrix) in enumerate(zip(table.names, table.says, matrices, strict=True)):
        name = quoteattr(on_one_line(name))
        lines.append(f"    <!-- {says} -->")
        cells = " ".join(f'{key}="{value + 0.0!r}"' for key, value in zip(_CELLS, matrix.ravel().tolist(), strict=True))
        shape = f"<Matrix4D {cells}/>"
        if kind == "TriggerMarkerList":
            lines += _trigger(table, number, name, shape)
        else:
            lines += [
                f'    <InstrumentMarker alwaysVisible="false" index="{number}" selected="false">',
                f'        <Marker color="#ff0000" description={name} set="true">{shape}</Marker>',
                "    </InstrumentMarker>",
            ]
    return "\n".join([*lines, f"</{kind}>", ""]).encode()


def _trigger(table: "PoseTable", number: int, name: str, shape: str) -> list[str]:
    known = {key: values[number] for key, values in table.columns.items() if not np.isnan(values[number])}
    time = f' recordingTime="{known["time_s"] * 1000.0:.15g}"' if "time_s" in known else ""
    answers = {
        "valueA": known.get("didt", np.nan) / AMPERE_PER_MICROSECOND,
        "amplitudeA": known.get("intensity_percent"),
    }
    values = [
        f'<Value key="{key}" response="{value:.15g}"/>'
        for key, value in answers.items()
        if value is not None and not np.isnan(value)
    ]
    return [
        f"    <TriggerMarker description={name}{time}>",
        f"        {shape}",
        f"        <ResponseValues>{''.join(values)}</ResponseValues>",
        "    </TriggerMarker>",
    ]
