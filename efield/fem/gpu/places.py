"""E at chosen places on the device: recovered at (node, tissue) pairs, and that of the elements in tetrahedra."""

import numpy as np
from numpy.typing import NDArray

from efield.fem.answers import Places
from efield.fem.gpu.steps import DeviceArray, room, to_device
from efield.fem.stencils import Stencils
from efield.kernels.cuda import elements, launch, recovery


class DevicePlaces:
    """Places of a mesh on the device.

    Parameters
    ----------
    places : Places
    stencils : Stencils
        Of their pairs.
    place : (n,) uint32
        Of each of the head's nodes in the solver's order.
    """

    def __init__(self, places: Places, stencils: Stencils, place: NDArray[np.uint32]) -> None:
        self.places, s = places, stencils
        of_potential = (s.row.astype(np.int32), place[s.members], s.slopes)
        of_primary = (s.ring_row.astype(np.int32), place[s.ring], s.bends, s.shares)
        self._sums = [to_device(array) for array in (place[s.nodes], *of_potential, *of_primary)]
        self._chosen = to_device(places.tets.astype(np.uint32))

    def fields(
        self, mesh: tuple[DeviceArray, DeviceArray], phi: DeviceArray, dadt: DeviceArray, columns: int
    ) -> tuple[DeviceArray, DeviceArray]:
        """E (columns, q, 3) at the pairs and (columns, k, 3) in the tetrahedra, V/m, on the device.

        Parameters
        ----------
        mesh : pair of device arrays
            Points (n, 3) and tetrahedra (m, 4) in the solver's order.
        phi, dadt : (n, width), (n, 3, width) device array
            The first columns are used.
        columns : int
        """
        pairs, tets = len(self.places.pairs), len(self.places.tets)
        at_pairs, in_tets = room((columns, pairs, 3)), room((columns, tets, 3))
        if pairs:
            recovery.recovered[launch.by_row(pairs, columns)](*self._sums, phi, dadt, at_pairs)
        if tets:
            elements.element_field[launch.by_row(tets, columns)](*mesh, self._chosen, phi, dadt, 0, in_tets)
        return at_pairs, in_tets
