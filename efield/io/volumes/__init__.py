"""Voxel images: NIfTI, label maps, diffusion tensors."""
