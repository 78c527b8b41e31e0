"""Numba kernels: arrays in, arrays out, SI units, no defaults, strings or exceptions."""

from efield.kernels import compiling as compiling
