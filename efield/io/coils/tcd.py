"""SimNIBS ``.tcd`` coil files: JSON with dipoles, line segments or sampled grids, casings, deformations, stimulators.

Lengths are in mm, moments in A m^2 and potentials in T m per ampere; of a line segment the file holds the center
and the vector along it. A sampled grid packed as a pickle is refused: opening a pickle can run any code.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from efield.coils.model import Coil, Dipoles, SampledField, Segments, Source
from efield.ground.errors import InputError, naming
from efield.io.atomic import replacing
from efield.io.bounded.cursor import Cursor
from efield.io.coils.tcd_json import Node, packed
from efield.io.coils.tcd_model import (
    Casing,
    Deformation,
    DeformRange,
    Element,
    RecordedWaveform,
    TcdCoil,
    TcdStimulator,
)

_DIPOLES: Final = 1
_SEGMENTS: Final = 2
_GRID: Final = 3


def read_tcd(
    path: str | os.PathLike[str],
    settings: Mapping[str, float] | None = None,
    *,
    stimulator: str | int | None = None,
) -> Coil:
    """The coil of a ``.tcd`` file.

    Parameters
    ----------
    path : path_like
    settings : mapping of str to float, optional
        As in `TcdCoil.coil`; what is not named stays at its initial value, which `Coil.assumptions` then says.
    stimulator : str or int, optional
        Name or number of the stimulator whose elements are wanted; needed where there are several.

    Returns
    -------
    Coil
        All elements of that stimulator, moved.

    Raises
    ------
    FileFormatError
        If the file cannot be read, see `read_tcd_file`.
    InputError
        For choices that the file does not offer, or if a stimulator must be chosen.
    """
    file = read_tcd_file(path)
    try:
        coil = file.coil(settings, stimulator=stimulator)
    except InputError as error:
        hint = f": {path}:stimulator=0" if stimulator is None and len(file.stimulators) > 1 else ""
        raise InputError(f"{path}: {error}{hint}") from error
    return replace(coil, citation=coil.citation or f"{Path(path).name}, as read")


def read_tcd_file(path: str | os.PathLike[str]) -> TcdCoil:
    """All that a ``.tcd`` file says.

    Parameters
    ----------
    path : path_like
        The file.

    Returns
    -------
    TcdCoil
        Elements, casings, deformations, stimulators.

    Raises
    ------
    FileFormatError
        If the file is missing, no JSON, truncated, refers to entries it does not have, holds values that are not
        finite or of the wrong shape, holds a pickle, or unpacks to far more than its size.
    """
    cursor = Cursor.open(path)
    with naming(cursor.path):
        return _file(Node.document(cursor))


def write_tcd(path: str | os.PathLike[str], coil: Coil | TcdCoil) -> None:
    """Write a coil as ``.tcd``.

    Parameters
    ----------
    path : path_like
        Written completely or not at all.
    coil : Coil or TcdCoil
        A `Coil` becomes one element per source.

    Raises
    ------
    InputError
        If wire segments carry a fraction of a turn, which the format cannot hold.
    """
    file = coil if isinstance(coil, TcdCoil) else _from_coil(coil)
    text = json.dumps(_document(file), allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text, "utf-8")


def _file(root: Node) -> TcdCoil:
    limits, resolution = root.get("limits"), root.get("resolution")
    casing = root.get("coilCasing")
    return TcdCoil(
        name=root.text("name") or root.cursor.path.stem,
        brand=root.text("brand"),
        version=root.text("version") or "1.0",
        elements=tuple(_element(node) for node in root.entries("coilElementList")),
        stimulators=tuple(_stimulator(node) for node in root.entries("stimulatorList")),
        deformations=tuple(_deformation(node) for node in root.entries("deformList")),
        ranges=tuple(_range(node) for node in root.entries("deformRangeList")),
        casings=tuple(_casing(node) for node in root.entries("coilModels")),
        casing=None if casing is None else casing.integer(),
        limits=None if limits is None else limits.array((3, 2)),
        resolution=None if resolution is None else resolution.array((3,)),
        self_intersection=tuple(
            tuple(int(k) for k in node.array((-1,), np.int64)) for node in root.entries("selfIntersectionTest")
        ),
    )


def _element(node: Node) -> Element:
    stimulator, casing, moves = node.get("stimulator"), node.get("elementCasing"), node.get("deformations")
    source, dropped = _source(node)
    return Element(
        name=node.text("name"),
        source=source,
        dropped=dropped,
        stimulator=None if stimulator is None else stimulator.integer(),
        casing=None if casing is None else casing.integer(),
        deformations=() if moves is None else tuple(int(k) for k in moves.array((-1,), np.int64)),
    )


def _source(node: Node) -> tuple[Source, int]:
    """The source of an element, and how many of its segments had no length and were dropped."""
    kind = node.need("type").integer()
    if kind == _DIPOLES:
        return Dipoles(node.need("points").array((-1, 3)), node.need("values").array((-1, 3))), 0
    if kind == _SEGMENTS:
        return _segments(node)
    if kind == _GRID:
        return SampledField(affine=node.need("affine").array((4, 4)), a_tm=node.need("data").array((-1, -1, -1, 3))), 0
    raise node.need("type").error("1 (dipoles), 2 (line segments) or 3 (sampled grid)")


def _segments(node: Node) -> tuple[Segments, int]:
    """Wire: a point that its path goes through twice in a row has become a segment without length, and no field."""
    centers, along = node.need("points").array((-1, 3)), node.need("values").array((-1, 3))
    if len(centers) != len(along):
        raise node.cursor.error(f"{node.where} must have as many values as points; instead it does not")
    starts, ends = centers - along / 2, centers + along / 2
    kept = (starts != ends).any(axis=1)
    if not kept.any():
        raise node.cursor.error(f"{node.where} must have wire segments with a length; instead none has one")
    return Segments(starts[kept], ends[kept]), int(np.count_nonzero(~kept))


def _stimulator(node: Node) -> TcdStimulator:
    limit = node.get("maxdIdt")
    value = None if limit is None else limit.number()
    if value is not None and value < 0:
        raise node.need("maxdIdt").error("a number >= 0 in A/s")
    return TcdStimulator(
        name=node.text("name"),
        brand=node.text("brand"),
        max_didt=value or None,
        waveforms=tuple(_waveform(item) for item in node.entries("waveformList")),
    )


def _waveform(node: Node) -> RecordedWaveform:
    time, fit = node.need("time").array((-1,)), node.get("fit")
    signal = node.need("signal").array((len(time),))
    return RecordedWaveform(node.text("name"), time, signal, None if fit is None else fit.array((len(time),)))


def _deformation(node: Node) -> Deformation:
    kind, number = node.text("type"), node.need("deformRange").integer()
    if kind != "rot2p":
        return Deformation(number, kind)
    return Deformation(number, kind, node.need("point1").array((3,)), node.need("point2").array((3,)))


def _range(node: Node) -> DeformRange:
    low, high = node.need("range").array((2,))
    return DeformRange(node.need("initial").number(), float(low), float(high))


def _casing(node: Node) -> Casing:
    near = node.get("minDistancePoints")
    return Casing(
        points=node.need("points").array((-1, 3)),
        faces=node.need("faces").array((-1, 3), np.int64),
        min_distance_points=None if near is None else near.array((-1, 3)),
    )


def _from_coil(coil: Coil) -> TcdCoil:
    driven = coil.max_didt is not None
    elements = [Element(f"{coil.name} {k}", s, 0 if driven else None) for k, s in enumerate(coil.sources)]
    stimulators = (TcdStimulator("stimulator", max_didt=coil.max_didt),) if driven else ()
    shape = coil.casing
    casings = () if shape is None else (Casing(shape.points_mm, shape.triangles.astype(np.int64)),)
    return TcdCoil(
        name=coil.name,
        elements=tuple(elements),
        stimulators=stimulators,
        casings=casings,
        casing=0 if casings else None,
    )


def _document(file: TcdCoil) -> dict[str, Any]:
    return _present(
        name=file.name,
        brand=file.brand,
        version=file.version,
        limits=_listed(file.limits),
        resolution=_listed(file.resolution),
        coilCasing=file.casing,
        coilElementList=[_element_entry(element) for element in file.elements],
        stimulatorList=[_stimulator_entry(item) for item in file.stimulators],
        deformList=[_deformation_entry(deformation) for deformation in file.deformations],
        deformRangeList=[{"initial": r.initial, "range": [r.low, r.high]} for r in file.ranges],
        coilModels=[
            _present(
                points=packed(casing.points),
                faces=packed(casing.faces),
                minDistancePoints=None if casing.min_distance_points is None else packed(casing.min_distance_points),
            )
            for casing in file.casings
        ],
        selfIntersectionTest=[list(group) for group in file.self_intersection],
    )


def _deformation_entry(item: Deformation) -> dict[str, Any]:
    axis = {"point1": _listed(item.point1), "point2": _listed(item.point2)} if item.kind == "rot2p" else {}
    return {"deformRange": item.range_index, "type": item.kind, **axis}


def _element_entry(element: Element) -> dict[str, Any]:
    return _present(
        name=element.name,
        stimulator=element.stimulator,
        elementCasing=element.casing,
        deformations=list(element.deformations),
        **_source_entry(element.source),
    )


def _source_entry(source: Source) -> dict[str, Any]:
    if isinstance(source, Dipoles):
        return {"type": _DIPOLES, "points": packed(source.points_mm), "values": packed(source.moments_am2)}
    if isinstance(source, SampledField):
        return {"type": _GRID, "data": source.a_tm.tolist(), "affine": source.affine.tolist()}
    turns = np.rint(source.turns).astype(int)
    if np.any(turns != source.turns):
        raise InputError(
            "a .tcd file holds wires of whole turns; instead some segments carry a fraction of a turn; "
            "write the coil as a sampled field (.nii.gz)"
        )
    starts, ends = np.where(turns[:, None] < 0, (source.ends_mm, source.starts_mm), (source.starts_mm, source.ends_mm))
    starts, ends = (np.repeat(p, np.abs(turns), axis=0) for p in (starts, ends))
    return {"type": _SEGMENTS, "points": packed((starts + ends) / 2), "values": packed(ends - starts)}


def _stimulator_entry(item: TcdStimulator) -> dict[str, Any]:
    waves = [
        _present(
            name=w.name, time=packed(w.time), signal=packed(w.signal), fit=None if w.fit is None else packed(w.fit)
        )
        for w in item.waveforms
    ]
    return _present(name=item.name, brand=item.brand, maxdIdt=item.max_didt, waveformList=waves)


def _listed(array: NDArray[np.float64] | None) -> Any:
    return None if array is None else array.tolist()


def _present(**entries: Any) -> dict[str, Any]:
    """The entries that say something."""
    return {key: value for key, value in entries.items() if value is not None and value not in ("", [])}
