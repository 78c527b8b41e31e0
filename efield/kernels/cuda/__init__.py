"""Kernels for NVIDIA GPUs: Numba's CUDA target only, device arrays in and out.

Nothing outside of this folder names a thread; nothing is imported from here unless a GPU (or Numba's simulator of one)
is going to compute. Sums run in a fixed order and no kernel adds by atomics, so that a device gives the same bits each
time.
"""
