"""Options that several commands take, with the same names and the same help."""

from pathlib import Path
from typing import Annotated, Final

import typer

HeadOption = Annotated[
    str, typer.Option(help="A shipped head (mni152, sphere), a mesh file (.msh, .vtu, ...), or a folder m2m_<id>.")
]
COIL_HELP: Final = (
    "A coil's name (see `efield coils list`) or a coil file. Parts of a .tcd that move, and one of several "
    "stimulators, are chosen behind its name: coil.tcd:rot2p-0=10,stimulator=1 (`efield coils info` names them)."
)
CoilOption = Annotated[str, typer.Option(help=COIL_HELP)]
TargetOption = Annotated[
    str, typer.Option(help="m1-hand-left, m1-leg-right, ..., C3, cap.csv:C3, or x,y,z in mm (--target=-37,-21,58).")
]
ConductivityOption = Annotated[
    list[str] | None,
    typer.Option(help="Conductivity of a tissue, NAME=S/m, such as --conductivity bone=0.012; repeatable."),
]
ConductivityTableOption = Annotated[
    Path | None,
    typer.Option(help="Conductivities of many tissues, a .csv (tag,value or tag,name,value) or .toml file."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print as JSON on standard output.")]
