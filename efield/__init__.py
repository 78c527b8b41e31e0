"""The electric field that transcranial magnetic stimulation induces in the motor cortex.

Research software: not a medical device. See ``efield --help`` and the README.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from efield.ground.version import __version__ as __version__

if TYPE_CHECKING:
    from efield.basis.reduced_basis import ReducedBasis as ReducedBasis
    from efield.coils.drive import Drive as Drive
    from efield.coils.model import Coil as Coil
    from efield.ground.errors import EfieldError as EfieldError
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
    "HeadMesh": "efield.head.mesh",
    "PlacementGrid": "efield.sweeping.grid",
    "Pose": "efield.ground.pose",
    "Reciprocal": "efield.reciprocity.reciprocal",
    "ReducedBasis": "efield.basis.reduced_basis",
    "Simulator": "efield.targeting.simulate",
    "Target": "efield.targeting.targets",
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

__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'efield' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
