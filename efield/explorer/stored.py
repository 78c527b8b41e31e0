"""A field that lies in a file, as a page: what was computed once is drawn, and nothing can be moved."""

from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np

from efield.coils.model import Coil
from efield.ground.arrays import FloatArray
from efield.ground.errors import InputError
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh
from efield.head.tissue import GRAY_MATTER, WHITE_MATTER
from efield.io.meshes.mesh_files import read_mesh
from efield.io.volumes.image import HeadImage
from efield.targeting.measures import MEASURES
from efield.targeting.targets import Target
from efield.viz.drawn_tissue import drawn_tissue
from efield.viz.field_shapes import outer_surface
from efield.viz.nodal import Nodal, averaged, shown_tissues
from efield.viz.planes import image_over
from efield.viz.scene import Scene
from efield.viz.shapes import Shape
from efield.viz.stage import Stage
from efield.viz.voxels import Voxels
from efield.viz.web import page_text

#: Names under which |E| lies in files: ours and SimNIBS's.
_MAGNITUDES = ("magnE", "normE")


@dataclass(frozen=True, eq=False)
class StoredField:
    """A head, and |E| in each of its tetrahedra.

    Parameters
    ----------
    head : HeadMesh
    magnitude : (m,) float, V/m
    """

    head: HeadMesh
    magnitude: FloatArray

    @classmethod
    def read(cls, path: str | PathLike[str]) -> "StoredField | None":
        """The field in a mesh file; None if it holds a head only.

        Raises
        ------
        FileFormatError
            If the file cannot be read.
        """
        mesh = read_mesh(path)
        known = [mesh.element_data[name] for name in _MAGNITUDES if name in mesh.element_data]
        if "E" in mesh.element_data and not known:
            known = [np.linalg.norm(np.asarray(mesh.element_data["E"]).reshape(len(mesh.tets), -1), axis=1)]
        if not known:
            return None
        return cls(mesh.head(), np.asarray(known[0], np.float64).reshape(len(mesh.tets)))

    @cached_property
    def nodal(self) -> Nodal:
        """|E| at the nodes, averaged over the tetrahedra of one tissue around each."""
        own = {tag: np.flatnonzero(self.head.tissue == tag) for tag in shown_tissues(self.head)}
        return {tag: averaged(self.head, tets, self.magnitude[tets]) for tag, tets in own.items()}

    def page(
        self,
        title: str,
        *,
        coil: Coil | None = None,
        pose: Pose | None = None,
        target: Target | None = None,
        numbers: list[tuple[str, str, str]] | None = None,
        image: HeadImage | str | PathLike[str] | None = None,
    ) -> str:
        """The page; coil and target where they are known, and (name, text, meaning) of numbers; slices show `image`, or
        the tissues.

        Raises
        ------
        InputError
            If there is no field on the cortex, or the image does not cover the head.
        """
        below = None if image is None else image_over(self.head, image)
        tag = drawn_tissue(self.head)
        surface = outer_surface(self.head, tag)
        values = self.nodal[tag][surface.nodes]
        if tag == GRAY_MATTER and WHITE_MATTER in self.nodal:
            values = np.where(np.isnan(values), self.nodal[WHITE_MATTER][surface.nodes], values)
        if not np.isfinite(values).any():
            raise InputError("the file must have a field on the cortex; instead all of it is nan")

        def cortex(scene: Stage) -> list[Shape]:
            scale = scene.field_scale(values, surface, None)
            return [Shape("cortex", surface, "plain", values, scale, closed=True)]

        scene = Scene(self.head, place=target, parts=(cortex,)).scalp()
        if coil is not None and pose is not None:
            scene = scene.coil(coil, pose)
        if target is not None:
            scene = scene.target(target)
        voxels = Voxels.of(self.head, self.nodal, scene.scales[0], below)
        return page_text(scene, "head", title=title, numbers=numbers, voxels=voxels)


def numbers_of(measures: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, value with unit, and meaning of the measures in a ``summary.json``."""
    found = []
    for name, one in measures.items():
        value, unit = (one.get("value"), one.get("unit", "")) if isinstance(one, dict) else (one, "")
        if isinstance(value, int | float):
            found.append((name, f"{value:.3g} {unit}".strip(), MEASURES[name].meaning if name in MEASURES else ""))
    return found
