"""What `efield simulate` can be asked for: each option's name, default and help, said once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from efield.app import options

#: Where results go unless asked otherwise, and all that may be written there.
OUT: Final = Path("efield-out")
FILES: Final = ("summary.json", "field.vtu", "field.msh", "field.nii.gz", "m1.png", "slices.png")


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of `efield simulate`, as they are given; `efield.app.simulation.run` checks them before any work."""

    head: options.Head = "mni152"
    register: Annotated[bool, "Find the map from MNI coordinates from the shape of the head's brain."] = False
    fiducials: Annotated[
        Path | None,
        "CSV with rows Fiducial,x,y,z,NAME for Nz, Iz, LPA and RPA: 10-10 positions are measured from them, "
        "and a head without a map from MNI gets one by them.",
    ] = None
    coil: options.Coil = "magstim-70mm-figure8"
    target: options.Target = "m1-hand-left"
    radius: Annotated[
        float | None, "Measures are of the tissue within this distance of the target, mm; 10 unless given."
    ] = None
    angle: options.Angle = None
    distance: Annotated[float, "Smallest gap from scalp to coil casing in mm (hair)."] = 4.0
    pose: options.Pose = None
    didt: Annotated[float | None, "Coil current's rate of change in A/s; 1e6 = 1 A/us."] = None
    current: Annotated[
        str,
        "Direction of the coil's current: normal or reverse. --angle is that of the induced current, so that "
        "reverse turns the handle; with --pose it turns the field.",
    ] = "normal"
    stimulator: Annotated[
        str | None, "Stimulator that --intensity is of, if not the coil's usual one (see `efield coils list`)."
    ] = None
    intensity: Annotated[float | None, "Percent of maximum stimulator output."] = None
    also: Annotated[
        list[str] | None, "A coil driven at the same time, COIL,POSE.txt,A/s, such as d70,right.txt,-1e6; repeatable."
    ] = None
    allow_collision: options.AllowCollision = False
    allow_defects: Annotated[
        bool, "Compute also on a mesh that is cut, overlaps itself or falls into insulated parts."
    ] = False
    conductivity: options.Conductivity = None
    conductivity_table: options.ConductivityTable = None
    tensors: Annotated[
        Path | None, "Diffusion tensors, NIfTI of 6 components in mm^2/s: white and gray matter conduct accordingly."
    ] = None
    tensor_order: Annotated[
        str | None, "Whose order and axes the components have: fsl (dtifit) or mrtrix (dwi2tensor). Needed."
    ] = None
    tensor_mapping: Annotated[
        str | None,
        typer.Option(
            help="Diffusion to conductivity: volume-normalized (the default), direct or direct-fitted.",
            show_default=False,
        ),
    ] = None
    tensor_factor: Annotated[float | None, "Factor of the direct mapping in S s/mm^3; 0.844 unless given."] = None
    refine: Annotated[
        bool,
        "Quarter the mesh's edges around the target before solving, and halve those at the surfaces of gray "
        "matter once more; the files then hold the finer mesh. On the default head less than a third of the error "
        "at single places is left, for half as many nodes more.",
    ] = True
    order: Annotated[int, "Order of the finite elements: 2 is slower and follows the field more finely."] = 1
    tol: options.Tol = 1e-8
    solver: options.Solver = "auto"
    device: options.Device = "auto"
    gmsh: Annotated[bool, "Write field.msh as well, for Gmsh and SimNIBS: with the surface of each tissue."] = False
    t1: Annotated[
        Path | None, "An image in the head's coordinates (.nii, .nii.gz, .mgz): slices.png shows the field over it."
    ] = None
    no_cache: Annotated[
        bool,
        "Prepare the solver anew. That of a shipped head is kept in this user's cache folder for later runs, "
        "whose results are the same.",
    ] = False
    out: Annotated[Path, options.out_option(OUT)] = OUT
    force: options.Force = False

    @property
    def files(self) -> list[str]:
        """Names of the files that are written."""
        asked = {"field.msh": self.gmsh, "slices.png": self.t1 is not None}
        return [name for name in FILES if asked.get(name, True)]
