"""Coils, stimulators and the primary field dA/dt of a posed coil."""

from efield.ground.doors import doors

__getattr__, __dir__, __all__ = doors(__name__, __file__)
