"""Fiducials and the 10-10 electrode positions of any scalp.

The positions follow the proportional arcs of the 10-10 system: every arc lies in the plane of three points that are
already known and is divided by length. Each half of an arc is divided on its own, so the point in its middle, known
from an earlier arc, keeps its place on a head that is not symmetric.

References
----------
Jurcak V, Tsuzuki D, Dan I. 10/20, 10/10, and 10/5 systems revisited: their validity as relative head-surface-based
positioning systems. NeuroImage 2007;34:1600-1611.
Oostenveld R, Praamstra P. The five percent electrode system for high-resolution EEG and ERP measurements. Clin
Neurophysiol 2001;112:713-719.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from efield.ground import checks
from efield.ground.card import Card, Carded, place
from efield.ground.errors import InputError
from efield.head.arcs import half_arcs, nearest_on_surface, whole_arc
from efield.head.cap import FIDUCIAL_NAMES, Cap
from efield.head.mesh import HeadMesh, given_head, once_per_head
from efield.head.surface import Surface, scalp

#: A fiducial farther than this from the scalp belongs to another head or another coordinate frame (mm).
FARTHEST_FIDUCIAL_MM: Final = 15.0

#: Names given to a position a second time: those of the 10-20 system, and the ends of the coronal arc.
ALIASES: Final = MappingProxyType({"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8", "T9": "LPA", "T10": "RPA"})

#: Arcs in the order they are drawn. Of each, the first, the middle and the last name are known by then; a dot is a step
#: that the 10-10 system leaves unnamed or that lies on the face.
_ARCS: Final = tuple(
    arc.split()
    for arc in (
        "Nz Fpz AFz Fz FCz Cz CPz Pz POz Oz Iz",
        "LPA T7 C5 C3 C1 Cz C2 C4 C6 T8 RPA",
        "Fpz Fp1 AF7 F7 FT7 T7 TP7 P7 PO7 O1 Oz",
        "Fpz Fp2 AF8 F8 FT8 T8 TP8 P8 PO8 O2 Oz",
        "Nz . . F9 FT9 LPA TP9 P9 PO9 I1 Iz",
        "Nz . . F10 FT10 RPA TP10 P10 PO10 I2 Iz",
        "AF7 . AF3 . AFz . AF4 . AF8",
        "F7 F5 F3 F1 Fz F2 F4 F6 F8",
        "FT7 FC5 FC3 FC1 FCz FC2 FC4 FC6 FT8",
        "TP7 CP5 CP3 CP1 CPz CP2 CP4 CP6 TP8",
        "P7 P5 P3 P1 Pz P2 P4 P6 P8",
        "PO7 . PO3 . POz . PO4 . PO8",
    )
)

#: Every name that `ten_ten` knows.
POSITIONS: Final = tuple(dict.fromkeys([name for arc in _ARCS for name in arc if name != "."] + list(ALIASES)))

#: Nasion, inion, left and right preauricular point in MNI152 (mm). Approximate: they stand beside a copy of the 10-20
#: positions of Okamoto et al. 2004, NeuroImage 21:99-111 (17 adults), and were not compared with the printed article.
_MNI_FIDUCIALS: Final = ((0.0, 82.9, -43.0), (0.0, -116.2, -30.5), (-79.6, -20.6, -48.6), (80.6, -20.6, -48.1))

_ROUND: Final = 1e-3  # relative spread of radii within which a scalp is a sphere: rounding in files, not anatomy
_VERTEX_TOLERANCE_MM: Final = 0.05  # moves each half of an arc by as much, so that halves agree to 0.1 mm
_MOST_VERTEX_STEPS: Final = 50


@dataclass(frozen=True, eq=False, repr=False)
class Fiducials(Carded):
    """Four points by which a head is measured, in head coordinates (mm, RAS).

    Parameters
    ----------
    nasion_mm : (3,) array_like
        Nz, the root of the nose.
    inion_mm : (3,) array_like
        Iz, the bump at the lower back of the skull.
    left_mm, right_mm : (3,) array_like
        LPA and RPA, the preauricular points, just before the ears.

    Raises
    ------
    InputError
        If a point is missing, or they are mixed up: left must have the smaller x, the nasion the greater y than the
        inion, and the line between the ears must run across that between nasion and inion.
    """

    nasion_mm: NDArray[np.float64]
    inion_mm: NDArray[np.float64]
    left_mm: NDArray[np.float64]
    right_mm: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name, point in vars(self).items():
            if point is None:
                raise InputError(f"{name} must be three numbers in mm; instead it is missing: give all four fiducials")
            object.__setattr__(self, name, checks.owned(checks.vector(name, point)))
        self._check_order()

    def _check_order(self) -> None:
        across, forward = self.right_mm - self.left_mm, self.nasion_mm - self.inion_mm
        right = ("right_mm must have a greater x than left_mm", across[0], "left and right")
        front = ("nasion_mm must have a greater y than inion_mm", forward[1], "front and back")
        for name, ahead, axis in (right, front):
            if ahead <= 0:
                raise InputError(
                    f"{name} (coordinates are RAS); instead it is {-ahead:.1f} mm less: {axis} are mixed up, "
                    "or the coordinates are not RAS millimeters"
                )
        up = np.cross(across, forward)
        # The sine of the angle between the lines times the cosine of the tilt: 60 degrees off either one is too much.
        if not up[2] > 0.5 * np.linalg.norm(across) * np.linalg.norm(forward):
            raise InputError(
                "fiducials must form an upright cross, left to right and inion to nasion; instead the lines nearly "
                "coincide or the head is tilted by more than 60 degrees: check which point is which"
            )

    def on(self, head: HeadMesh) -> "Fiducials":
        """The same fiducials, each moved to the nearest point of a head's scalp.

        Raises
        ------
        InputError
            If one is more than 15 mm from the scalp.
        """
        surface = scalp(head)
        return Fiducials(**{name: _on_scalp(surface, name, point) for name, point in vars(self).items()})

    @property
    def _by_name(self) -> dict[str, NDArray[np.float64]]:
        """The four by their names in caps: Nz, Iz, LPA, RPA."""
        return dict(zip(FIDUCIAL_NAMES, vars(self).values(), strict=True))

    def _card(self) -> Card:
        return Card("Fiducials", [(name, place(point)) for name, point in self._by_name.items()])


def checked_on_scalp(head: HeadMesh, name: str, point_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """The point itself, as it was measured, if it is near the scalp.

    Raises
    ------
    InputError
        If it is more than 15 mm from the scalp: it belongs to another head or another coordinate frame.
    """
    _on_scalp(scalp(head), name, point_mm)
    return point_mm


def _on_scalp(surface: Surface, name: str, point: NDArray[np.float64]) -> NDArray[np.float64]:
    foot = nearest_on_surface(surface, point)
    distance = float(np.linalg.norm(foot - point))
    if distance > FARTHEST_FIDUCIAL_MM:
        raise InputError(
            f"{name} must lie within {FARTHEST_FIDUCIAL_MM:g} mm of the scalp; instead it is {distance:.0f} mm away: "
            "check that it is in this head's coordinates"
        )
    return foot


def fiducials_in(cap: Cap) -> Fiducials:
    """The fiducials of a cap: its positions Nz, Iz, LPA and RPA, as they stand there.

    Raises
    ------
    InputError
        If the cap lacks one, or they are mixed up.
    """
    missing = [name for name in FIDUCIAL_NAMES if name not in cap.positions]
    if missing:
        raise InputError(
            f"{cap.origin} must have the fiducials {', '.join(FIDUCIAL_NAMES)}; instead it lacks {', '.join(missing)}: "
            "add rows such as Fiducial,x,y,z,Nz"
        )
    return Fiducials(*(cap.positions[name] for name in FIDUCIAL_NAMES))


def fiducials_of(head: HeadMesh) -> Fiducials:
    """The fiducials of a head that is mapped from MNI coordinates, or of a sphere about the origin.

    Parameters
    ----------
    head : HeadMesh

    Returns
    -------
    Fiducials
        On the scalp. Those of the head's first cap that has all four; else, for a mapped head, positions in MNI152
        moved to this head: approximate in a single person. For a sphere, the points where the x and y axes leave it.

    Raises
    ------
    InputError
        If the head has neither such a cap, nor a map from MNI coordinates, nor the shape of a sphere about the origin;
        or a fiducial is more than 15 mm from the scalp.

    References
    ----------
    Okamoto et al. 2004, NeuroImage 21:99-111 (the MNI positions).
    """
    for cap in given_head(head).caps:
        if all(name in cap.positions for name in FIDUCIAL_NAMES):
            return fiducials_in(cap).on(head)
    if head.mni is not None:
        return Fiducials(*head.mni.to_head(_MNI_FIDUCIALS)).on(head)
    radius = np.linalg.norm(scalp(head).points_mm, axis=1)
    if np.ptp(radius) > _ROUND * radius.mean():
        raise InputError(
            "fiducials must be given for this head, which has no map from MNI coordinates: pass "
            "Fiducials(nasion_mm=..., inion_mm=..., left_mm=..., right_mm=...) in head coordinates, or to `efield "
            "simulate` --fiducials FILE.csv with the rows Nz, Iz, LPA and RPA; FILE.csv:C3 is a target everywhere"
        )
    reach = float(radius.mean())
    x, y = np.array([reach, 0.0, 0.0]), np.array([0.0, reach, 0.0])
    return Fiducials(nasion_mm=y, inion_mm=-y, left_mm=-x, right_mm=x).on(head)


def ten_ten(head: HeadMesh, fiducials: Fiducials | None = None) -> dict[str, NDArray[np.float64]]:
    """The electrode positions of the 10-10 system on a head's scalp.

    Parameters
    ----------
    head : HeadMesh
    fiducials : Fiducials, optional
        By default those of `fiducials_of`; the positions are then remembered for this head.

    Returns
    -------
    dict of str to (3,) float, mm
        By name, `POSITIONS`: Nz, Iz, LPA, RPA, Cz, C3, FCz, ... and the older T3, T4, T5, T6.

    Raises
    ------
    InputError
        If a fiducial is more than 15 mm from the scalp, there are none for this head, or no arc over the scalp joins
        them.

    Notes
    -----
    Lengths are those of a taut tape (`Arc`); its marks are put on the scalp beneath. Cz halves both the arc from nasion
    to inion and that from ear to ear. T9 and T10 are at the preauricular points.

    References
    ----------
    Jurcak et al. 2007, NeuroImage 34:1600-1611; Oostenveld and Praamstra 2001, Clin Neurophysiol 112:713-719.
    """
    if fiducials is None:
        return dict(_default_positions(head))
    return _positions(scalp(head), fiducials.on(head))


def electrode(head: HeadMesh, name: str, fiducials: Fiducials | None = None) -> NDArray[np.float64]:
    """One electrode position, whatever the case of its name.

    Parameters
    ----------
    head : HeadMesh
    name : str
        Such as "C3" or "fcz".
    fiducials : Fiducials, optional
        As in `ten_ten`; if given, the position is measured from them whatever caps the head has.

    Returns
    -------
    (3,) float, mm

    Raises
    ------
    InputError
        As `find_electrode`.
    """
    if fiducials is None:
        return find_electrode(head, name)[0]
    return ten_ten(head, fiducials)[_position_named(name, POSITIONS)]


def find_electrode(head: HeadMesh, name: str) -> tuple[NDArray[np.float64], str]:
    """One electrode position, and where it comes from.

    The head's own caps are asked first; a name that none of them has is measured on the scalp, as `ten_ten` does.

    Parameters
    ----------
    head : HeadMesh
    name : str
        Whatever its case.

    Returns
    -------
    position : (3,) float, mm
    origin : str

    Raises
    ------
    InputError
        If there is no such position, a cap has it more than 15 mm from this head's scalp, or as `ten_ten` does.
    """
    for cap in given_head(head).caps:
        own = {known.lower(): known for known in cap.positions}.get(str(name).lower())
        if own is not None:
            return checked_on_scalp(head, f"{own} of {cap.origin}", cap.positions[own]), cap.origin
    names = dict.fromkeys([*POSITIONS, *(known for cap in head.caps for known in cap.positions)])
    # Before fiducials are asked for: a typing error is the nearer fault.
    known = _position_named(name, tuple(names))
    return ten_ten(head)[known], "10-10 arcs measured on the scalp"


def _position_named(name: str, names: tuple[str, ...]) -> str:
    known = {position.lower(): position for position in names}
    return known.get(str(name).lower()) or checks.choice("electrode", name, names)


@once_per_head
def _default_positions(head: HeadMesh) -> dict[str, NDArray[np.float64]]:
    return _positions(scalp(head), fiducials_of(head))


def _positions(surface: Surface, fiducials: Fiducials) -> dict[str, NDArray[np.float64]]:
    found = fiducials._by_name | {"Cz": _vertex(surface, fiducials)}
    for names in _ARCS:
        _mark(surface, found, names)
    found |= {alias: found[name] for alias, name in ALIASES.items()}
    return {name: checks.read_only(found[name]) for name in POSITIONS}


def _mark(surface: Surface, found: dict[str, NDArray[np.float64]], names: list[str]) -> None:
    """Add the positions of one arc: equal steps in each of its halves."""
    steps = len(names) // 2
    halves = half_arcs(surface, found[names[0]], found[names[steps]], found[names[-1]])
    for number, name in enumerate(names):
        if name != "." and name not in found:
            half, step = divmod(number, steps)
            found[name] = halves[half].at(step / steps)


def _vertex(surface: Surface, fiducials: Fiducials) -> NDArray[np.float64]:
    """Cz: halves the tape from nasion to inion and that from ear to ear.

    The two tapes meet in the last guess. Halving one moves the guess along it and hardly along the other, so the
    guesses settle in a few turns.
    """
    nasion, inion, left, right = fiducials.nasion_mm, fiducials.inion_mm, fiducials.left_mm, fiducials.right_mm
    up = np.cross(right - left, nasion - inion)
    vertex = surface.points_mm[np.argmax(surface.points_mm @ up)]
    for _ in range(_MOST_VERTEX_STEPS):
        sagittal = whole_arc(surface, nasion, vertex, inion).at(0.5)
        vertex = whole_arc(surface, left, sagittal, right).at(0.5)
        if np.linalg.norm(vertex - sagittal) <= _VERTEX_TOLERANCE_MM:
            return vertex
    raise InputError(
        "the arcs from nasion to inion and from ear to ear must halve each other on the scalp; instead their middles "
        f"stay {np.linalg.norm(vertex - sagittal):.1f} mm apart: check the fiducials, or smooth the scalp"
    )
