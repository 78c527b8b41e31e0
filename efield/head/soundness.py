"""Whether a mesh is whole: currents cross wherever tissues touch, and every place belongs to one element.

Nothing in the equations notices a mesh that is cut: an element's face that touches no other is insulated, as the scalp
is. Such faces are told by what lies before them. In front of the scalp, or of the wall of a cavity, there is air; in
front of a face where the mesh is cut lies another element. Only the few elements at the mesh's surface have to be
looked at, so that the check costs little.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from efield.ground.errors import InputError
from efield.ground.numbering import renumbered
from efield.head.locate import Locator
from efield.head.mesh import HeadMesh, once_per_head
from efield.head.surface import Surface, faces_of
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER, tissue_name

#: How far before a face another element is looked for: this much, or this part of the face's size (mm).
_BEFORE_MM: Final = 0.02
_BEFORE_SHARE: Final = 0.01

#: Folds of a scalp may touch themselves; cuts and overlaps smaller than these change no answer (mm^2, mm^3).
_SMALLEST_CUT_MM2: Final = 10.0
_SMALLEST_OVERLAP_MM3: Final = 10.0

#: An insulated part is refused from this share of the head's volume, or this much brain (mm^3). Specks of noisy labels
#: are smaller.
_LARGEST_SPECK: Final = 0.01
_LARGEST_SPECK_OF_BRAIN_MM3: Final = 500.0

#: Nodes this near to each other are one node written twice, the first that fits (mm).
TOLERANCES_MM: Final = (1e-3, 1e-2, 5e-2)


@dataclass(frozen=True)
class Defect:
    """One way in which a mesh is not whole.

    Parameters
    ----------
    kind : {"crowded faces", "cut", "insulated part", "overlap"}
    text : str
        What there is and where (mm).
    remedy : str
    harmful : bool
        Whether it changes the field; a detached speck does not.
    """

    kind: str
    text: str
    remedy: str
    harmful: bool


def check_sound(head: HeadMesh) -> None:
    """Refuse a mesh that is cut, overlaps itself or falls into parts.

    Raises
    ------
    InputError
        With what is wrong, where, and what to do.
    """
    harmful = [defect for defect in defects(head) if defect.harmful]
    if harmful:
        texts = "; ".join(defect.text for defect in harmful)
        remedies = ", or ".join(dict.fromkeys(defect.remedy for defect in harmful))
        raise InputError(f"a head mesh must be whole; instead {texts}: {remedies}")


@once_per_head
def defects(head: HeadMesh) -> tuple[Defect, ...]:
    """All that is not whole in a mesh; empty for a sound one."""
    surface, crowded = faces_of(head)
    # A mesh that is there twice as a whole has no surface.
    open_ones = (*_cuts(head, surface), *_parts(head, surface)) if len(surface.triangles) else ()
    return (*_crowded(head, crowded), *open_ones)


def _crowded(head: HeadMesh, tets: NDArray[np.int64]) -> Iterator[Defect]:
    if len(tets):
        text = (
            f"{len(tets)} tetrahedra have a face that more than two share ({_box(head.barycenters[tets])}): "
            "a region is there twice"
        )
        yield Defect("crowded faces", text, "remove the copies with `efield mesh repair`, or mesh the head again", True)


def _cuts(head: HeadMesh, surface: Surface) -> Iterator[Defect]:
    wall = faces_before_matter(head, surface)
    area = float(surface.areas[wall].sum()) / 2  # both sides of the cut are faces
    if not wall.any():
        return
    nodes = np.unique(surface.triangles[wall])
    text = f"it is cut along {area:.0f} mm^2 ({_box(surface.points_mm[nodes])}), where no current crosses: "
    count, tolerance = coinciding(surface.points_mm[nodes])
    if 2 * count >= len(nodes):
        text += f"{count} nodes lie where others do, within {tolerance:g} mm"
        asked = "" if tolerance == TOLERANCES_MM[0] else f" --tolerance {tolerance:g}"
        remedy = f"merge the nodes with `efield mesh repair{asked}`"
    else:
        text += "elements face each other there and do not share their nodes"
        remedy = "mesh the head again, with all tissues in one mesh"
    yield Defect("cut", text, remedy, area >= _SMALLEST_CUT_MM2)


def faces_before_matter(head: HeadMesh, surface: Surface) -> NDArray[np.bool_]:
    """(t,) which faces of the surface that bounds all tissues have an element right before them, instead of air."""
    at_surface = np.zeros(len(head.points), dtype=bool)
    at_surface[surface.nodes] = True
    near = np.flatnonzero(at_surface[head.tets].any(axis=1))
    step = np.maximum(_BEFORE_MM, _BEFORE_SHARE * np.sqrt(surface.areas))
    places = surface.centers_mm + step[:, None] * surface.triangle_normals
    found, _ = Locator(_only(head, near)).find(places)
    return np.asarray((found >= 0) & (near[found] != surface.owners))


def coinciding(points_mm: NDArray[np.float64]) -> tuple[int, float]:
    """How many points have another within the first tolerance (mm) that half of them do, or the last; and which."""
    tree, count = cKDTree(points_mm), 0
    for tolerance in TOLERANCES_MM:
        count = len(np.unique(tree.query_pairs(tolerance, output_type="ndarray")))
        if 2 * count >= len(points_mm):
            return count, tolerance
    return count, TOLERANCES_MM[-1]


def _parts(head: HeadMesh, surface: Surface) -> Iterator[Defect]:
    """Parts that share no node with the largest."""
    if _outer_surfaces(surface) < 2:
        return
    part = _part_of_tets(head)
    volume = np.bincount(part, head.volumes)
    largest = int(np.argmax(volume))
    others = np.flatnonzero(part != largest)
    if not len(others):
        return
    inside, _ = Locator(_only(head, np.flatnonzero(part == largest))).find(head.barycenters[others])
    double = others[inside >= 0]
    if head.volumes[double].sum() >= _SMALLEST_OVERLAP_MM3:
        text = f"{head.volumes[double].sum() / 1000:.3g} cm^3 are meshed twice ({_box(head.barycenters[double])})"
        yield Defect("overlap", text, "leave one of the meshes out, or mesh the head again", True)
    for number in np.flatnonzero(np.bincount(part[others], minlength=len(volume))):
        yield _insulated(head, np.flatnonzero(part == number), float(volume.sum()))


def _insulated(head: HeadMesh, tets: NDArray[np.int64], total: float) -> Defect:
    brain = np.isin(head.tissue[tets], (WHITE_MATTER, GRAY_MATTER))
    volume, of_brain = float(head.volumes[tets].sum()), float(head.volumes[tets[brain]].sum())
    names = ", ".join(tissue_name(int(tag)) for tag in np.unique(head.tissue[tets]))
    text = f"{volume / 1000:.2g} cm^3 of {names} are insulated from the rest ({_box(head.barycenters[tets])})"
    harmful = volume > _LARGEST_SPECK * total or of_brain > _LARGEST_SPECK_OF_BRAIN_MM3
    return Defect("insulated part", text, "join the parts in one mesh, or leave the detached ones out", harmful)


def _outer_surfaces(surface: Surface) -> int:
    """How many connected surfaces enclose something: one for each part; those of cavities enclose less than nothing."""
    corners = surface.points_mm[surface.triangles] - surface.points_mm.mean(axis=0)
    enclosed = np.einsum("ij,ij->i", np.cross(corners[:, 0], corners[:, 1]), corners[:, 2])
    return int((np.bincount(surface.components, enclosed) > 0).sum())


def _part_of_tets(head: HeadMesh) -> NDArray[np.int32]:
    """(m,) number of the part, connected by nodes, that each tetrahedron belongs to."""
    first, others = np.repeat(head.tets[:, 0], 3), head.tets[:, 1:].ravel()
    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, others)), shape=(len(head.points),) * 2)
    return np.asarray(connected_components(graph, directed=False)[1][head.tets[:, 0]])


def _only(head: HeadMesh, tets: NDArray[np.int64]) -> HeadMesh:
    """Some of the tetrahedra, in their order."""
    used, corners = renumbered(head.tets[tets])
    return HeadMesh(points=head.points[used], tets=corners, tissue=head.tissue[tets])


def _box(points: NDArray[np.float64]) -> str:
    low, high = (", ".join(f"{x:.0f}" for x in end) for end in (points.min(axis=0), points.max(axis=0)))
    return f"from ({low}) to ({high}) mm"
