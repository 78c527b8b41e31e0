"""Whether the tissues of a mesh have the volumes of their labels."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from efield.head.lattice.enclosed import LEAST_VOLUME_MM3, VOLUME_TOLERANCE
from efield.head.lattice.grid import LabelGrid
from efield.head.mesh import HeadMesh
from efield.head.tissue import tissue_name


@dataclass(frozen=True)
class KeptVolume:
    """One tissue of a label volume, and what the mesh has of it.

    Attributes
    ----------
    tag : int
    label_mm3 : float
        Volume of the voxels; of a tissue that others were left in, theirs too.
    mesh_mm3 : float
        Volume of the tetrahedra; 0 for a tissue that was left in another.
    merged_into : int or None
        Tag of that other tissue.
    """

    tag: int
    label_mm3: float
    mesh_mm3: float
    merged_into: int | None = None

    def kept(self, tolerance: float = VOLUME_TOLERANCE) -> bool:
        """Whether mesh and labels agree to a share of `tolerance` or 0.5 cm3; what is merged counts where it went."""
        allowed = max(tolerance * self.label_mm3, LEAST_VOLUME_MM3)
        return self.merged_into is not None or abs(self.mesh_mm3 - self.label_mm3) <= allowed

    def in_words(self) -> str:
        """What became of it, and what can be done about it."""
        name, labels = tissue_name(self.tag), f"{self.label_mm3 / 1000:.3g} cm3"
        if self.merged_into is not None:
            host = tissue_name(self.merged_into)
            return (
                f"{name} ({labels}) is too small or thin for these edges and was left in {host}: "
                f"give shorter edges, by scale or for tag {self.tag}, to keep it apart"
            )
        return (
            f"{name} must keep the volume of its labels, {labels}; instead the mesh has {self.mesh_mm3 / 1000:.3g} cm3 "
            f"({100 * (self.mesh_mm3 / self.label_mm3 - 1):+.0f} %): give shorter edges, by scale or for tag {self.tag}"
        )


def kept_volumes(grid: LabelGrid, head: HeadMesh, merged: Mapping[int, int]) -> tuple[KeptVolume, ...]:
    """Compare a mesh with its labels, tissue by tissue, tags ascending; `merged` is by rank."""
    voxels = np.bincount(grid.ranks.ravel(), minlength=len(grid.tags) + 1) * float(grid.spacing.prod())
    for rank in sorted(merged, reverse=True):
        voxels[merged[rank]] += voxels[rank]
    found = (
        KeptVolume(
            tag,
            float(voxels[rank]),
            head.tissue_volume_mm3(tag),
            grid.tags[merged[rank] - 1] if rank in merged else None,
        )
        for rank, tag in enumerate(grid.tags, start=1)
    )
    return tuple(sorted(found, key=lambda one: one.tag))
