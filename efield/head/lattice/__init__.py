"""Label volumes to conforming tetrahedra: a graded lattice, snapped to and cut by nested level sets."""

from efield.head.lattice.fields import DEFAULT_EDGE_MM, Refinement
from efield.head.lattice.mesher import mesh_labels

__all__ = ["DEFAULT_EDGE_MM", "Refinement", "mesh_labels"]
