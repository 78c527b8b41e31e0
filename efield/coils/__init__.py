"""Coils, stimulators and the primary field dA/dt of a posed coil."""

from typing import TYPE_CHECKING

from efield.ground.doors import doors

if TYPE_CHECKING:
    from efield.coils.casing import Casing as Casing
    from efield.coils.catalog import list_coils as list_coils
    from efield.coils.catalog import load_named as load_named
    from efield.coils.compressed import compress as compress
    from efield.coils.drive import Drive as Drive
    from efield.coils.equivalent import as_dipoles as as_dipoles
    from efield.coils.equivalent import net_moment as net_moment
    from efield.coils.equivalent import potential_error as potential_error
    from efield.coils.model import Coil as Coil
    from efield.coils.model import Dipoles as Dipoles
    from efield.coils.model import SampledField as SampledField
    from efield.coils.model import Segments as Segments
    from efield.coils.primary import b_field as b_field
    from efield.coils.primary import dadt as dadt
    from efield.coils.shapes import circular as circular
    from efield.coils.shapes import figure8 as figure8
    from efield.coils.stimulators import Stimulator as Stimulator
    from efield.coils.stimulators import Waveform as Waveform
    from efield.coils.stimulators import didt as didt
    from efield.coils.stimulators import list_stimulators as list_stimulators
    from efield.coils.stimulators import load_stimulator as load_stimulator
    from efield.coils.winding import Winding as Winding

#: Public names and the modules that hold them.
_HOMES = {
    "Casing": "efield.coils.casing",
    "Coil": "efield.coils.model",
    "Dipoles": "efield.coils.model",
    "Drive": "efield.coils.drive",
    "SampledField": "efield.coils.model",
    "Segments": "efield.coils.model",
    "Stimulator": "efield.coils.stimulators",
    "Waveform": "efield.coils.stimulators",
    "Winding": "efield.coils.winding",
    "as_dipoles": "efield.coils.equivalent",
    "b_field": "efield.coils.primary",
    "circular": "efield.coils.shapes",
    "compress": "efield.coils.compressed",
    "dadt": "efield.coils.primary",
    "didt": "efield.coils.stimulators",
    "figure8": "efield.coils.shapes",
    "list_coils": "efield.coils.catalog",
    "list_stimulators": "efield.coils.stimulators",
    "load_named": "efield.coils.catalog",
    "load_stimulator": "efield.coils.stimulators",
    "net_moment": "efield.coils.equivalent",
    "potential_error": "efield.coils.equivalent",
}

__all__ = sorted(_HOMES)
__getattr__, __dir__ = doors(__name__, _HOMES)
