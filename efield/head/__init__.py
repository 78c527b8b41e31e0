"""Heads: tetrahedral meshes, tissues, surfaces, and the ways to make them."""
