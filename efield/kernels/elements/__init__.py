"""Finite elements: element matrices and loads, multigrid, recovery, adjoint, closed form."""
