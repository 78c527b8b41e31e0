"""Heads: tetrahedral meshes, tissues, surfaces, and the ways to make them."""

from typing import TYPE_CHECKING

from efield.ground.doors import doors

if TYPE_CHECKING:
    from efield.head.conductivity import Conductivity as Conductivity
    from efield.head.landmarks import Fiducials as Fiducials
    from efield.head.landmarks import electrode as electrode
    from efield.head.landmarks import fiducials_of as fiducials_of
    from efield.head.landmarks import ten_ten as ten_ten
    from efield.head.lattice.fields import DEFAULT_EDGE_MM as DEFAULT_EDGE_MM
    from efield.head.lattice.fields import Refinement as Refinement
    from efield.head.lattice.mesher import mesh_labels as mesh_labels
    from efield.head.mesh import HeadMesh as HeadMesh
    from efield.head.midsurface import cortical_thickness as cortical_thickness
    from efield.head.midsurface import mid_surface as mid_surface
    from efield.head.mni import AffineMap as AffineMap
    from efield.head.mni import WarpMap as WarpMap
    from efield.head.quality import mesh_quality as mesh_quality
    from efield.head.registration import register_to_mni as register_to_mni
    from efield.head.spheres import sphere_head as sphere_head
    from efield.head.surface import TriangleSurface as TriangleSurface
    from efield.head.surface import boundary as boundary
    from efield.head.surface import cortex as cortex
    from efield.head.surface import scalp as scalp
    from efield.head.tensor_field import TensorField as TensorField
    from efield.head.tissue import tissue_name as tissue_name
    from efield.head.tissue import tissue_tag as tissue_tag

#: Public names and the modules that hold them.
_HOMES = {
    "AffineMap": "efield.head.mni",
    "Conductivity": "efield.head.conductivity",
    "DEFAULT_EDGE_MM": "efield.head.lattice.fields",
    "Fiducials": "efield.head.landmarks",
    "HeadMesh": "efield.head.mesh",
    "Refinement": "efield.head.lattice.fields",
    "TensorField": "efield.head.tensor_field",
    "TriangleSurface": "efield.head.surface",
    "WarpMap": "efield.head.mni",
    "boundary": "efield.head.surface",
    "cortex": "efield.head.surface",
    "cortical_thickness": "efield.head.midsurface",
    "electrode": "efield.head.landmarks",
    "fiducials_of": "efield.head.landmarks",
    "mesh_labels": "efield.head.lattice.mesher",
    "mesh_quality": "efield.head.quality",
    "mid_surface": "efield.head.midsurface",
    "register_to_mni": "efield.head.registration",
    "scalp": "efield.head.surface",
    "sphere_head": "efield.head.spheres",
    "ten_ten": "efield.head.landmarks",
    "tissue_name": "efield.head.tissue",
    "tissue_tag": "efield.head.tissue",
}

__all__ = sorted(_HOMES)
__getattr__, __dir__ = doors(__name__, _HOMES)
