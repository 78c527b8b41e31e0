"""Short hashes of heads, conductivities and coils: a stored result is only used with what it was computed for."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from efield.coils.model import Coil, Dipoles, SampledField, Segments, Source
from efield.ground.errors import InputError
from efield.head.mesh import HeadMesh

if TYPE_CHECKING:
    from efield.targeting.simulate import Simulator

#: Arrays that define each kind of source.
SOURCE_ARRAYS: Mapping[type[Source], tuple[str, ...]] = {
    Dipoles: ("points_mm", "moments_am2"),
    Segments: ("starts_mm", "ends_mm", "turns"),
    SampledField: ("affine", "a_tm"),
}


def digest(*arrays: Any) -> str:
    """SHA-256 of the shapes, types and bytes of arrays, 32 hexadecimal digits."""
    state = hashlib.sha256()
    for array in map(np.ascontiguousarray, arrays):
        state.update(f"{array.shape}{array.dtype.str}".encode())
        state.update(array.view(np.uint8).data if array.size else b"")
    return state.hexdigest()[:32]


def head_digest(head: HeadMesh) -> str:
    """Hash of a head's nodes, tetrahedra and tissues."""
    return digest(head.points, head.tets, head.tissue)


def coil_digest(coil: Coil) -> str:
    """Hash of a coil's sources; its name and drawing do not count."""
    kinds = [type(source).__name__ for source in coil.sources]
    arrays = [getattr(source, name) for source in coil.sources for name in SOURCE_ARRAYS[type(source)]]
    return hashlib.sha256(f"{kinds} {digest(*arrays)}".encode()).hexdigest()[:32]


def whole_coil_digest(coil: Coil) -> str:
    """Hash of all of a coil that a study depends on: its sources, the shape by which it is laid, its largest dI/dt."""
    casing = () if coil.casing is None else (coil.casing.points_mm, coil.casing.triangles)
    points = () if coil.casing_points_mm is None else (coil.casing_points_mm,)
    shape = digest(*casing, *points, *coil.windings)
    return hashlib.sha256(f"{coil_digest(coil)} {shape} {coil.max_didt}".encode()).hexdigest()[:32]


def fingerprints(sim: "Simulator", coil: Coil | None) -> dict[str, str]:
    """Hashes of the head, its conductivities and the coil ("any" for None)."""
    return {
        "head": head_digest(sim.head),
        "conductivity": digest(sim.problem.sigma),
        "coil": "any" if coil is None else coil_digest(coil),
    }


def made_with(sim: "Simulator", coil: Coil | None) -> dict[str, str]:
    """The hashes, and what the solver was asked for: tolerance and order."""
    return fingerprints(sim, coil) | {"solver": repr((sim.problem.tol, sim.problem.order))}


def check_same(stored: Mapping[str, Any], present: Mapping[str, Any], what: str) -> None:
    """Refuse a stored result that belongs to something else.

    Raises
    ------
    InputError
        Which names all entries that differ.
    """
    different = [name for name in present if stored.get(name) != present[name]]
    if different:
        raise InputError(
            f"{what} must belong to the same head, conductivity, coil and settings; instead the {', '.join(different)} "
            "differ from those it was made with: make it again, or use what it was made for"
        )
