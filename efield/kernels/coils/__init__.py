"""Sources of the coil: the vector potential of each kind, stored potentials, inductance."""
