"""What the options of `efield simulate` stand for: head, target, conductivities and drives."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from efield.app.console import Steps
from efield.app.request import Request
from efield.coils import stimulators
from efield.coils.drive import Drive
from efield.coils.model import Coil
from efield.coils.polarity import CURRENTS, signed
from efield.fem.problem import TOL_RANGE
from efield.fem.solvers import SOLVERS
from efield.ground import checks
from efield.ground.errors import InputError
from efield.head.anisotropy import MAPPINGS
from efield.head.conductivity import Conductivity
from efield.head.landmarks import fiducials_in
from efield.head.mesh import HeadMesh
from efield.head.registration import register_to_mni
from efield.head.soundness import check_sound
from efield.head.tissue import conductivity, tissue_name
from efield.io.cache_folder import cache_for
from efield.io.conductivity_table import ConductivityTable, read_conductivity_table
from efield.io.eeg_positions import CapFile
from efield.io.load import load_coil, load_head
from efield.io.poses.reading import load_pose
from efield.io.volumes.tensor import check_order, read_tensors
from efield.targeting.aim import checked_angle
from efield.targeting.simulate import Simulator
from efield.targeting.targets import Target, named_target, needs_mni, parse_target

_DEFAULT_DIDT: Final = 1e6


def prepared(
    head: HeadMesh, name: str, device: str, steps: Steps, sigma: Conductivity | None = None, order: int = 1
) -> Simulator:
    """The solver on a head, as a step of its own; what is made of a shipped head is kept for later runs."""
    with steps("preparing the solver"):
        return Simulator(head, sigma, device=device, order=order, cache=cache_for(name))


def parse_conductivity(
    texts: Iterable[str] | None, table: Path | None = None, base: Conductivity | None = None
) -> Conductivity:
    """The default table, or another, with the tissues of a file replaced, then those given as ``NAME=S/m``."""
    given = ConductivityTable() if table is None else read_conductivity_table(table)
    overrides: dict[int, float] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--conductivity must be NAME=S/m, such as bone=0.012; instead received {text!r}")
        if (tag := given.tag(name)) in overrides:
            raise InputError(f"--conductivity must give each tissue once; instead {tissue_name(tag)} is given again")
        overrides[tag] = conductivity(f"--conductivity {name}", tag, value)
    return (base or Conductivity()).with_values(given.values | overrides)


def parse_drive(text: str) -> Drive:
    """A further coil of ``COIL,POSE,DIDT``: name or file, file of its pose, and dI/dt in A/s.

    Raises
    ------
    InputError
        If it is not these three, or a file cannot be read.
    """
    parts = text.rsplit(",", 2)
    if len(parts) != 3 or not all(part.strip() for part in parts):
        raise InputError(f"--also must be COIL,POSE.txt,A/s, such as d70,right.txt,-1e6; instead received {text!r}")
    coil, pose, didt = (part.strip() for part in parts)
    return Drive(load_coil(coil), load_pose(pose), checks.rate("--also dI/dt", didt))


def check(request: Request) -> None:
    """Refuse what can be refused before any work.

    Raises
    ------
    InputError
        That names the option.
    """
    checks.length_mm("--distance", request.distance)
    if request.angle is not None:
        checked_angle("--angle", request.angle)
    checks.choice("--current", request.current, CURRENTS)
    if request.radius is not None:
        checks.length_mm("--radius", request.radius)
    parse_target(request.target)
    if request.tensors is not None:
        check_order(request.tensor_order)
    elif (request.tensor_order, request.tensor_mapping, request.tensor_factor) != (None, None, None):
        raise InputError("--tensor-order, --tensor-mapping and --tensor-factor must come with --tensors, a file")
    if request.fiducials is not None:
        fiducials_in(CapFile(request.fiducials))
    checks.in_range("--tol", request.tol, *TOL_RANGE)
    checks.choice("--solver", request.solver, SOLVERS)
    if request.order not in (1, 2):
        raise InputError(f"--order must be 1 or 2; instead received {request.order}")
    if request.stimulator is not None and request.intensity is None:
        raise InputError("--stimulator needs --intensity, the percent of its maximum output")
    if request.didt is not None:
        checks.rate("--didt", request.didt)
        if request.intensity is not None:
            raise InputError("--didt and --intensity must not be given together; each sets the drive")


def conductivity_of(request: Request) -> Conductivity:
    """The default table with what the command line and its files replace."""
    isotropic = parse_conductivity(request.conductivity, request.conductivity_table)
    if request.tensors is None:
        return isotropic
    return isotropic.with_tensors(
        read_tensors(request.tensors, request.tensor_order),
        mapping=request.tensor_mapping or MAPPINGS[0],
        factor=request.tensor_factor,
    )


def didt_of(request: Request, coil: Coil) -> float:
    """dI/dt in A/s, with the sign of the current."""
    return signed(_rate_of(request, coil), request.current)


def drive_words(request: Request, coil: Coil) -> str:
    """What sets dI/dt: stimulator, percent of its maximum output, direction; empty where dI/dt itself is given."""
    reverse = ", current reversed" if request.current == "reverse" else ""
    if request.intensity is None:
        return reverse.lstrip(", ")
    machine = request.stimulator and stimulators.load_stimulator(request.stimulator).name
    machine = machine or f"maximum of {coil.name}'s usual stimulator"
    return f"{request.intensity:g} % of {machine}{reverse}"


def _rate_of(request: Request, coil: Coil) -> float:
    if request.intensity is None:
        return _DEFAULT_DIDT if request.didt is None else request.didt
    percent = checks.percent_of_output("--intensity", request.intensity)
    if request.stimulator is not None:
        return stimulators.didt(request.stimulator, coil, percent)
    if coil.max_didt is None:
        raise InputError(f"the largest dI/dt of {coil.name} is not known: give --stimulator as well, or --didt")
    return coil.max_didt * percent / 100.0


def load(request: Request, steps: Steps) -> HeadMesh:
    """The head, with positions from a file's fiducials and a map from MNI152 where they are asked for."""
    with steps(f"loading head {request.head}"):
        head = load_head(request.head)
        if not request.allow_defects:
            check_sound(head)
        if request.fiducials is not None:
            # An electrode needs no map, and a scalp that no map fits has electrodes all the same.
            needs_map = not request.register and needs_mni(request.target)
            head = _with_fiducials(head, request.fiducials, needs_map=needs_map)
    if not request.register:
        return head
    with steps("registering the brain to MNI152"):
        return register_to_mni(head)


def target_of(head: HeadMesh, request: Request) -> Target:
    """The target of the request, with the radius that it gives."""
    target = named_target(head, request.target)
    if request.radius is None:
        return target
    if target.region is not None:
        raise InputError(
            f"--radius must come with a place; instead {target.name} is a region, which has its own extent"
        )
    return replace(target, radius_mm=request.radius)


def _with_fiducials(head: HeadMesh, file: Path, *, needs_map: bool) -> HeadMesh:
    """The head with its 10-10 positions measured from a file's fiducials, and a map by them if it has no other."""
    cap = CapFile(file)
    head = replace(head, caps=(cap, *head.caps))
    return register_to_mni(head, fiducials_in(cap)) if head.mni is None and needs_map else head
