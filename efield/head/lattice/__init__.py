"""Label volumes to conforming tetrahedra: a graded lattice, snapped to and cut by nested level sets."""

from efield.head.lattice.fields import DEFAULT_EDGE_MM, Refinement
from efield.head.lattice.kept import KeptVolume
from efield.head.lattice.mesher import mesh_and_volumes, mesh_labels

__all__ = ["DEFAULT_EDGE_MM", "KeptVolume", "Refinement", "mesh_and_volumes", "mesh_labels"]
