"""The primary field of posed coils at nodes that lie on a GPU, written there.

The sources are uploaded once; each placement is one list of nodes on their threads (`efield.kernels.cuda.coils`). Nodes
that a stored potential does not cover are summed over the sources at once.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from efield.coils.compressed import CompressedCoil
from efield.coils.model import Coil, Dipoles, SampledField, Segments
from efield.coils.primary import dipole_rows, segment_rows
from efield.ground.arrays import FloatArray
from efield.ground.pose import Pose
from efield.ground.units import mm_to_m


class DeviceCoil:
    """A coil's sources, and the octree of its stored potential if there is one, on the device.

    Parameters
    ----------
    coil : Coil
    stored : CompressedCoil, optional
        Its stored potential, which is taken where it is known; unless given, all nodes are summed over the sources.
    """

    def __init__(self, coil: Coil, stored: CompressedCoil | None = None) -> None:
        from numba import cuda

        from efield.kernels.cuda import coils as kernels

        self._kernels = kernels
        self._dipoles = [cuda.to_device(dipole_rows(s)) for s in coil.sources if isinstance(s, Dipoles)]
        self._segments = [cuda.to_device(segment_rows(s)) for s in coil.sources if isinstance(s, Segments)]
        sampled = [_samples(s) for s in coil.sources if isinstance(s, SampledField)]
        self._sampled = [tuple(map(cuda.to_device, each)) for each in sampled]
        self._half, self._tree = 0.0, None
        if stored is not None:
            self._half, children, coefficients = stored.tree
            self._tree = cuda.to_device(children), cuda.to_device(coefficients)

    def potential(self, shape: Any, posed: tuple[Any, Any, Any], missing: Any, a: Any) -> None:
        """A at nodes in coil axes to a (n, 3); `posed` and the rest as the kernels take them."""
        if self._tree is None:
            self._kernels.clear[shape](a, missing)
        else:
            self._kernels.stored[shape](*posed, self._half, *self._tree, missing, a)
        for rows in self._dipoles:
            self._kernels.add_dipoles[shape](*posed, rows, missing, a)
        for rows in self._segments:
            self._kernels.add_segments[shape](*posed, rows, missing, a)
        for grid in self._sampled:
            self._kernels.add_samples[shape](*posed, *grid, missing, a)


def _samples(source: SampledField) -> tuple[FloatArray, FloatArray]:
    """From places in m to indices (3, 4), and the samples (nx, ny, nz, 3)."""
    to_index = np.linalg.inv(source.affine)[:3]
    return np.column_stack([to_index[:, :3] / mm_to_m(np.array(1.0)), to_index[:, 3]]), source.a_tm.copy()


def write_primary(placements: Sequence[Sequence[tuple[DeviceCoil, Pose, float]]], points: Any, out: Any) -> bool:
    """dA/dt in V/m of each placement to its column of out (n, 3, width), zero in further columns.

    Parameters
    ----------
    placements : sequence of sequences of (DeviceCoil, Pose, float)
        The coils that are driven together in each, where they are, and their dI/dt in A/s.
    points : (n, 3) device array, m
    out : (n, 3, width) device array

    Returns
    -------
    bool
        Whether all of it is known: no node lies on a source, or outside of a sampled field.
    """
    from numba import cuda

    from efield.kernels.cuda import blocks, coils, launch

    n, width = out.shape[0], out.shape[2]
    blocks.zero[launch.by_chunk(3 * n, width)](out.reshape(3 * n, width))
    a, missing = cuda.device_array((n, 3)), cuda.device_array(n, np.int32)
    bad, shape = cuda.to_device(np.zeros(1, np.int32)), launch.by_item(n)
    for column, driven in enumerate(placements):
        for coil, pose, didt in driven:
            rotation = cuda.to_device(np.array(pose.rotation))
            center = cuda.to_device(mm_to_m(np.array(pose.center_mm)))
            coil.potential(shape, (points, rotation, center), missing, a)
            coils.to_head[shape](a, rotation, float(didt), column, out, bad)
    return not bad.copy_to_host()[0]
