"""The electric field that transcranial magnetic stimulation induces in the motor cortex.

Research software: not a medical device. See ``efield --help`` and the README.
"""

from typing import TYPE_CHECKING

from efield.ground import forks as _forks  # noqa: F401 (tells forked processes)
from efield.ground.doors import doors
from efield.ground.version import __version__ as __version__

if TYPE_CHECKING:
    from efield import coils as coils
    from efield import head as head
    from efield import io as io
    from efield import viz as viz
    from efield.basis.reduced_basis import ReducedBasis as ReducedBasis
    from efield.coils.catalog import list_coils as list_coils
    from efield.coils.drive import Drive as Drive
    from efield.coils.model import Coil as Coil
    from efield.coils.stimulators import didt as didt
    from efield.coils.stimulators import list_stimulators as list_stimulators
    from efield.ground.errors import EfieldError as EfieldError
    from efield.ground.errors import EfieldWarning as EfieldWarning
    from efield.ground.pose import Pose as Pose
    from efield.head.conductivity import Conductivity as Conductivity
    from efield.head.mesh import HeadMesh as HeadMesh
    from efield.head.registration import register_to_mni as register_to_mni
    from efield.io.load import load_coil as load_coil
    from efield.io.load import load_head as load_head
    from efield.reciprocity.reciprocal import Reciprocal as Reciprocal
    from efield.reciprocity.reciprocal import reciprocal as reciprocal
    from efield.sweeping.grid import PlacementGrid as PlacementGrid
    from efield.sweeping.sweep import sweep as sweep
    from efield.targeting.field import EField as EField
    from efield.targeting.naming import list_targets as list_targets
    from efield.targeting.placement import place_coil as place_coil
    from efield.targeting.simulate import Simulator as Simulator
    from efield.targeting.targets import Target as Target
    from efield.targeting.targets import m1_face as m1_face
    from efield.targeting.targets import m1_hand as m1_hand
    from efield.targeting.targets import m1_leg as m1_leg


#: Public names and the modules that hold them; each is imported when it is first used, so `import efield` is quick.
_HOMES = {
    "Coil": "efield.coils.model",
    "Conductivity": "efield.head.conductivity",
    "Drive": "efield.coils.drive",
    "EField": "efield.targeting.field",
    "EfieldError": "efield.ground.errors",
    "EfieldWarning": "efield.ground.errors",
    "HeadMesh": "efield.head.mesh",
    "PlacementGrid": "efield.sweeping.grid",
    "Pose": "efield.ground.pose",
    "Reciprocal": "efield.reciprocity.reciprocal",
    "ReducedBasis": "efield.basis.reduced_basis",
    "Simulator": "efield.targeting.simulate",
    "Target": "efield.targeting.targets",
    "didt": "efield.coils.stimulators",
    "list_coils": "efield.coils.catalog",
    "list_stimulators": "efield.coils.stimulators",
    "list_targets": "efield.targeting.naming",
    "load_coil": "efield.io.load",
    "load_head": "efield.io.load",
    "m1_face": "efield.targeting.targets",
    "m1_hand": "efield.targeting.targets",
    "m1_leg": "efield.targeting.targets",
    "place_coil": "efield.targeting.placement",
    "sweep": "efield.sweeping.sweep",
    "reciprocal": "efield.reciprocity.reciprocal",
    "register_to_mni": "efield.head.registration",
}

#: Packages whose public names are found by completion: `efield.head.mid_surface`, `efield.viz.save_picture`.
_ROOMS = ("coils", "head", "io", "viz")

__all__ = [*sorted({*_HOMES, *_ROOMS}), "__version__"]
__getattr__, _names = doors(__name__, _HOMES, _ROOMS)


def __dir__() -> list[str]:
    return __all__
