"""One target, any coil: placements by the million from one adjoint solve per direction."""
