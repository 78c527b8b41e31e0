"""Head meshes: Gmsh, VTK and, through meshio, other programs' formats."""
