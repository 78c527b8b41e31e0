"""Questions about a mesh: volumes, faces, the tetrahedron of a point, clearance, rasters."""
