"""Coils, stimulators and the primary field dA/dt of a posed coil."""
