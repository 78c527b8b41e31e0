"""Where the coil meets the head: placement, targets, the simulation and its measures."""
