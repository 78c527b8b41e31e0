"""The electric field that transcranial magnetic stimulation induces in the motor cortex.

Research software: not a medical device. See ``efield --help`` and the README.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from efield.ground import forks as _forks  # noqa: F401 (tells forked processes)
from efield.ground.doors import doors
from efield.ground.own_folders import settle_kernels
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
    from efield.delivered.pulses import Pulses as Pulses
    from efield.delivered.pulses import pulses as pulses
    from efield.dosing.dose import dose as dose
    from efield.dosing.feasibility import feasibility as feasibility
    from efield.dosing.protocols import list_protocols as list_protocols
    from efield.dosing.protocols import protocol as protocol
    from efield.dosing.safety import safety as safety
    from efield.dosing.site import DoseSite as DoseSite
    from efield.dosing.trains import Trains as Trains
    from efield.explorer.explore import explore as explore
    from efield.ground.errors import EfieldError as EfieldError
    from efield.ground.errors import EfieldWarning as EfieldWarning
    from efield.ground.pose import Pose as Pose
    from efield.head.conductivity import Conductivity as Conductivity
    from efield.head.mesh import HeadMesh as HeadMesh
    from efield.head.registration import register_to_mni as register_to_mni
    from efield.io.load import load_coil as load_coil
    from efield.io.load import load_head as load_head
    from efield.io.poses.pose_table import PoseTable as PoseTable
    from efield.io.poses.reading import read_poses as read_poses
    from efield.planning.optimize import optimize as optimize
    from efield.planning.uncertainty import uncertainty as uncertainty
    from efield.reciprocity.reciprocal import Reciprocal as Reciprocal
    from efield.reciprocity.reciprocal import reciprocal as reciprocal
    from efield.sweeping.grid import PlacementGrid as PlacementGrid
    from efield.sweeping.mesh_errors import mesh_errors as mesh_errors
    from efield.sweeping.sweep import sweep as sweep
    from efield.targeting.field import EField as EField
    from efield.targeting.naming import list_targets as list_targets
    from efield.targeting.placement import place_coil as place_coil
    from efield.targeting.simulate import Simulator as Simulator
    from efield.targeting.targets import Target as Target
    from efield.targeting.targets import m1_face as m1_face
    from efield.targeting.targets import m1_hand as m1_hand
    from efield.targeting.targets import m1_leg as m1_leg


settle_kernels(Path(__file__).parent)

#: Public names and the modules that hold them; each is imported when it is first used, so `import efield` is quick.
_HOMES = {
    "Coil": "efield.coils.model",
    "Conductivity": "efield.head.conductivity",
    "DoseSite": "efield.dosing.site",
    "Drive": "efield.coils.drive",
    "EField": "efield.targeting.field",
    "EfieldError": "efield.ground.errors",
    "EfieldWarning": "efield.ground.errors",
    "HeadMesh": "efield.head.mesh",
    "PlacementGrid": "efield.sweeping.grid",
    "Pose": "efield.ground.pose",
    "PoseTable": "efield.io.poses.pose_table",
    "Pulses": "efield.delivered.pulses",
    "Reciprocal": "efield.reciprocity.reciprocal",
    "ReducedBasis": "efield.basis.reduced_basis",
    "Simulator": "efield.targeting.simulate",
    "Target": "efield.targeting.targets",
    "Trains": "efield.dosing.trains",
    "didt": "efield.coils.stimulators",
    "dose": "efield.dosing.dose",
    "explore": "efield.explorer.explore",
    "feasibility": "efield.dosing.feasibility",
    "list_coils": "efield.coils.catalog",
    "list_protocols": "efield.dosing.protocols",
    "list_stimulators": "efield.coils.stimulators",
    "list_targets": "efield.targeting.naming",
    "load_coil": "efield.io.load",
    "load_head": "efield.io.load",
    "m1_face": "efield.targeting.targets",
    "m1_hand": "efield.targeting.targets",
    "m1_leg": "efield.targeting.targets",
    "mesh_errors": "efield.sweeping.mesh_errors",
    "optimize": "efield.planning.optimize",
    "place_coil": "efield.targeting.placement",
    "pulses": "efield.delivered.pulses",
    "read_poses": "efield.io.poses.reading",
    "protocol": "efield.dosing.protocols",
    "sweep": "efield.sweeping.sweep",
    "reciprocal": "efield.reciprocity.reciprocal",
    "register_to_mni": "efield.head.registration",
    "safety": "efield.dosing.safety",
    "uncertainty": "efield.planning.uncertainty",
}

#: Packages whose public names are found by completion: `efield.head.mid_surface`, `efield.viz.save_picture`.
_ROOMS = ("coils", "head", "io", "viz")

__all__ = [*sorted({*_HOMES, *_ROOMS}), "__version__"]
__getattr__, _names = doors(__name__, _HOMES, _ROOMS)


def __dir__() -> list[str]:
    return __all__
