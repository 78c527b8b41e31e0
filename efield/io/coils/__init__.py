"""Coil files: dipoles, wires, sampled fields, casings."""
