"""Finite elements: from dA/dt at the nodes to the electric field. Knows nothing of coils."""
