"""The same potentials and fields on an NVIDIA GPU, where there is one (docs/gpu.md)."""
