"""Numba kernels: arrays in, arrays out, SI units, no defaults, strings or exceptions."""
