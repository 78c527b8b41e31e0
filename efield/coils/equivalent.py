"""Wires as magnetic dipoles, and the moment of a coil.

A closed current is equal to a magnetized sheet that it bounds (Ampere's theorem). The sheet here is the cone from the
middle of each connected wire: its triangles cancel inside, whatever the order of the segments.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from efield.coils.model import Coil, Dipoles, SampledField, Segments, given_coil
from efield.coils.primary import vector_potential
from efield.ground import checks
from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError
from efield.ground.rows import distinct_rows

#: Ends of segments nearer than this are one node (mm); files round to about this.
_SAME_MM = 1e-3

#: Dipoles of one sheet within a cell of this size become one (mm).
_CELL_MM = 4.0


def net_moment(coil: Coil) -> FloatArray | None:
    """(3,) magnetic moment in A m^2 per ampere: 1/2 sum of r x dl for wires; None for sampled fields or open wires.

    The two wings of a figure-8 cancel.
    """
    total = np.zeros(3)
    for source in given_coil(coil).sources:
        if isinstance(source, SampledField):
            return None
        if isinstance(source, Dipoles):
            total += source.moments_am2.sum(axis=0)
            continue
        if open_end_gap_mm(source) is not None:
            return None
        along = (source.ends_mm - source.starts_mm) * source.turns[:, None]
        total += 0.5e-6 * np.cross(source.starts_mm, along).sum(axis=0)
    return total


def as_dipoles(coil: Coil, *, spacing_mm: float = 4.0) -> Coil:
    """The coil with each closed wire replaced by a sheet of magnetic dipoles.

    Parameters
    ----------
    coil : Coil
        Made of dipoles and closed wires.
    spacing_mm : float
        Distance between neighboring dipoles before near ones are put together.

    Returns
    -------
    Coil
        All else as it was. `potential_error` says how far its field is off.

    Raises
    ------
    InputError
        If a wire is open, the coil has a sampled field, or the spacing is not positive.
    """
    spacing = checks.positive("spacing_mm", spacing_mm)
    parts = [
        _sheets(source, spacing) if isinstance(source, Segments) else source for source in given_coil(coil).sources
    ]
    dipoles = [part for part in parts if isinstance(part, Dipoles)]
    if len(dipoles) < len(parts):
        raise InputError(f"{coil.name} holds a sampled field, which does not say where its currents are")
    points = np.concatenate([part.points_mm for part in dipoles])
    moments = np.concatenate([part.moments_am2 for part in dipoles])
    assumptions = (*coil.assumptions, f"wires replaced by {len(points)} dipoles")
    return replace(coil, sources=(Dipoles(points, moments),), assumptions=assumptions, uncertainty="")


def potential_error(coil: Coil, reference: Coil, *, distance_mm: float = 20.0) -> float:
    """Largest difference of A in front of two coils, relative to the largest A there.

    Parameters
    ----------
    coil, reference : Coil
    distance_mm : float
        Points nearer to a source of either coil than this do not count. The others are those of a box in front of the
        coil, 200 x 200 x 100 mm from the origin along z, sampled every 10 mm.

    Raises
    ------
    InputError
        If the box lies outside a sampled field.
    """
    across, along = np.arange(-100.0, 101.0, 10.0), np.arange(0.0, 101.0, 10.0)
    points = np.stack(np.meshgrid(across, across, along), axis=-1).reshape(-1, 3)
    sources = np.concatenate([source.extent_mm for each in (coil, reference) for source in given_coil(each).sources])
    points = points[cKDTree(sources).query(points)[0] >= checks.positive("distance_mm", distance_mm)]
    exact = vector_potential(reference, points)
    error = np.linalg.norm(vector_potential(coil, points) - exact, axis=1)
    return float(error.max() / np.linalg.norm(exact, axis=1).max())


def nodes(segments: Segments) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Numbers of the nodes (k,) at which segments start and end; ends closer than 1 micrometer share a node."""
    ends = np.concatenate([segments.starts_mm, segments.ends_mm])
    pairs = cKDTree(ends).query_pairs(_SAME_MM, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(len(ends),) * 2)
    number = connected_components(graph, directed=False)[1].astype(np.intp)
    return number[: len(segments)], number[len(segments) :]


def wires(segments: Segments) -> NDArray[np.intp]:
    """(k,) number of the connected wire that each segment belongs to."""
    start, end = nodes(segments)
    size = int(max(start.max(), end.max())) + 1
    graph = coo_array((np.ones(len(start), np.int8), (start, end)), shape=(size, size))
    label = connected_components(graph, directed=False)[1][start]
    return np.asarray(np.unique(label, return_inverse=True)[1], dtype=np.intp)


def open_end_gap_mm(segments: Segments) -> float | None:
    """Distance from the first node where current is lost to the nearest other one; None if all wires are closed."""
    start, end = nodes(segments)
    size = int(max(start.max(), end.max())) + 1
    surplus = np.bincount(start, segments.turns, size) - np.bincount(end, segments.turns, size)
    lost = np.flatnonzero(np.abs(surplus) > 1e-6 * np.abs(segments.turns).max())
    if not len(lost):
        return None
    place = np.empty((size, 3))
    place[start], place[end] = segments.starts_mm, segments.ends_mm
    return float(np.linalg.norm(place[lost[1:]] - place[lost[0]], axis=1).min(initial=np.inf))


def _sheets(segments: Segments, spacing_mm: float) -> Dipoles:
    gap = open_end_gap_mm(segments)
    if gap is not None:
        raise InputError(
            f"wires must be closed loops to be replaced by dipoles; instead current ends {gap:.3g} mm from where it "
            "goes on; close the wire, or write a sampled field (.nii.gz)"
        )
    wire = wires(segments)
    middle = (segments.starts_mm + segments.ends_mm) / 2
    count = np.bincount(wire)
    apex = np.column_stack([np.bincount(wire, middle[:, axis]) / count for axis in range(3)])[wire]
    to_start, along = segments.starts_mm - apex, segments.ends_mm - segments.starts_mm
    moment = 0.5e-6 * np.cross(to_start, along) * segments.turns[:, None]
    reach = np.maximum(np.linalg.norm(to_start, axis=1), np.linalg.norm(to_start + along, axis=1))
    rows = np.ceil(reach / spacing_mm).astype(np.int64) + 1
    columns = np.ceil(np.linalg.norm(along, axis=1) / spacing_mm).astype(np.int64)
    points, moments = [], []
    for number in np.unique(rows):
        for columns_of in np.unique(columns[rows == number]):
            of = (rows == number) & (columns == columns_of)
            share, across, weight = _cone_rule(int(number), int(columns_of))
            place = to_start[of, None] + across[:, None] * along[of, None]
            points.append((apex[of, None] + share[:, None] * place).reshape(-1, 3))
            moments.append((weight[:, None] * moment[of, None]).reshape(-1, 3))
    return _merged(np.concatenate(points), np.concatenate(moments))


def _cone_rule(rows: int, columns: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gauss points of a triangle: share of the way from apex to side, place along the side, weight (they add to 1)."""
    radial, radial_weight = np.polynomial.legendre.leggauss(rows)
    across, across_weight = np.polynomial.legendre.leggauss(columns)
    share, place = np.meshgrid((radial + 1) / 2, (across + 1) / 2, indexing="ij")
    weight = np.outer((radial + 1) / 2 * radial_weight, across_weight / 2)
    return share.ravel(), place.ravel(), weight.ravel()


def _merged(points_mm: FloatArray, moments: FloatArray) -> Dipoles:
    """Dipoles of the same cell and octant of direction as one, at their center weighted by strength."""
    cell = np.column_stack([np.floor(points_mm / _CELL_MM), moments > 1e-9 * np.abs(moments).max()])
    group = distinct_rows(cell)[1]
    strength = np.linalg.norm(moments, axis=1)
    total = np.bincount(group, strength)
    center = np.column_stack([np.bincount(group, strength * points_mm[:, axis]) / total for axis in range(3)])
    moment = np.column_stack([np.bincount(group, moments[:, axis]) for axis in range(3)])
    return Dipoles(np.asarray(center), np.asarray(moment, dtype=np.float64))
