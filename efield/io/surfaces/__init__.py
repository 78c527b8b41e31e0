"""Surfaces: GIFTI and FreeSurfer."""
