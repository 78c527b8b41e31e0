"""One file per format."""

from typing import TYPE_CHECKING

from efield.ground.doors import doors

if TYPE_CHECKING:
    from efield.io.coils.ccd import read_ccd as read_ccd
    from efield.io.coils.ccd import write_ccd as write_ccd
    from efield.io.coils.grid import read_coil_grid as read_coil_grid
    from efield.io.coils.grid import write_coil_grid as write_coil_grid
    from efield.io.coils.stl import read_stl as read_stl
    from efield.io.coils.tcd import read_tcd as read_tcd
    from efield.io.coils.tcd import write_tcd as write_tcd
    from efield.io.coils.wire import read_windings as read_windings
    from efield.io.coils.wire import read_wire as read_wire
    from efield.io.conductivity_table import read_conductivity_table as read_conductivity_table
    from efield.io.eeg_positions import CapFile as CapFile
    from efield.io.eeg_positions import read_eeg_positions as read_eeg_positions
    from efield.io.eeg_positions import write_eeg_positions as write_eeg_positions
    from efield.io.load import load_coil as load_coil
    from efield.io.load import load_head as load_head
    from efield.io.meshes.vtu import write_vtu as write_vtu
    from efield.io.poses.pose_table import PoseTable as PoseTable
    from efield.io.poses.reading import load_pose as load_pose
    from efield.io.poses.reading import read_poses as read_poses
    from efield.io.subject import load_subject as load_subject
    from efield.io.subject import read_mni_map as read_mni_map
    from efield.io.surfaces.gifti import read_surface as read_surface
    from efield.io.surfaces.gifti import read_values as read_values
    from efield.io.surfaces.gifti import write_surface as write_surface
    from efield.io.surfaces.gifti import write_values as write_values
    from efield.io.volumes.label_map import read_label_map as read_label_map
    from efield.io.volumes.labels import read_labels as read_labels
    from efield.io.volumes.tensor import read_tensors as read_tensors
    from efield.io.volumes.tensor import write_tensors as write_tensors

#: Public names and the modules that hold them.
_HOMES = {
    "CapFile": "efield.io.eeg_positions",
    "PoseTable": "efield.io.poses.pose_table",
    "load_coil": "efield.io.load",
    "load_head": "efield.io.load",
    "load_pose": "efield.io.poses.reading",
    "load_subject": "efield.io.subject",
    "read_ccd": "efield.io.coils.ccd",
    "read_coil_grid": "efield.io.coils.grid",
    "read_conductivity_table": "efield.io.conductivity_table",
    "read_eeg_positions": "efield.io.eeg_positions",
    "read_label_map": "efield.io.volumes.label_map",
    "read_labels": "efield.io.volumes.labels",
    "read_mni_map": "efield.io.subject",
    "read_poses": "efield.io.poses.reading",
    "read_stl": "efield.io.coils.stl",
    "read_surface": "efield.io.surfaces.gifti",
    "read_tcd": "efield.io.coils.tcd",
    "read_tensors": "efield.io.volumes.tensor",
    "read_values": "efield.io.surfaces.gifti",
    "read_windings": "efield.io.coils.wire",
    "read_wire": "efield.io.coils.wire",
    "write_ccd": "efield.io.coils.ccd",
    "write_coil_grid": "efield.io.coils.grid",
    "write_eeg_positions": "efield.io.eeg_positions",
    "write_surface": "efield.io.surfaces.gifti",
    "write_tcd": "efield.io.coils.tcd",
    "write_tensors": "efield.io.volumes.tensor",
    "write_values": "efield.io.surfaces.gifti",
    "write_vtu": "efield.io.meshes.vtu",
}

__all__ = sorted(_HOMES)
__getattr__, __dir__ = doors(__name__, _HOMES)
