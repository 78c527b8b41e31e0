"""Options that several commands take, with the same names and the same help, and commands made from a dataclass.

An option is annotated with the words of its help, or with a `typer.Option` where there is more to say.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from operator import getitem
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args, get_type_hints

import typer

from efield.fem.gpu.device import DEVICES
from efield.ground import checks
from efield.ground.errors import InputError
from efield.targeting.motor_sites import NAMES


def _heads(incomplete: str) -> Iterator[str]:
    """What a shell completes; files are its own."""
    from efield.io.load import HEAD_NAMES

    return (name for name in HEAD_NAMES if name.startswith(incomplete))


def _coils(incomplete: str) -> Iterator[str]:
    from efield.coils.catalog import list_coils

    return (name for name in list_coils() if name.startswith(incomplete))


def _targets(incomplete: str) -> Iterator[str]:
    return (name for name in NAMES if name.startswith(incomplete))


Head = Annotated[
    str,
    typer.Option(
        help="A shipped head (mni152, sphere), a mesh file (.msh, .vtu, ...), or a folder m2m_<id>.",
        autocompletion=_heads,
    ),
]
COIL_HELP: Final = (
    "A coil's name (see `efield coils list`) or a coil file. Parts of a .tcd that move, and one of several "
    "stimulators, are chosen behind its name: coil.tcd:rot2p-0=10,stimulator=1 (`efield coils info` names them)."
)
Coil = Annotated[str, typer.Option(help=COIL_HELP, autocompletion=_coils)]
Target = Annotated[
    str,
    typer.Option(
        help="m1-hand-left, m1-leg-right, ..., an electrode (C3, cap.csv:C3), a label of a volume (mask.nii.gz:3; of "
        "an atlas in MNI152 space atlas.nii.gz:3,mni) or of a FreeSurfer surface (lh.aparc.annot:precentral), or "
        "x,y,z in mm (--target=-39,-15,62). `efield targets` lists the names, where they come from and their spread.",
        autocompletion=_targets,
    ),
]
Conductivity = Annotated[
    list[str] | None, "Conductivity of a tissue, NAME=S/m, such as --conductivity bone=0.012; repeatable."
]
ConductivityTable = Annotated[
    Path | None, "Conductivities of many tissues, a .csv (tag,value or tag,name,value) or .toml file."
]
Tol = Annotated[float, "Residual at which the solver stops, |b - K phi| / |b|; 1e-6 is enough where 1e-8 stalls."]
Solver = Annotated[str, "How the equations are solved: auto, multigrid, or direct (small heads; needs the extra mkl)."]
DEVICE_HELP: Final = (
    "Where the equations are solved: cuda (an NVIDIA GPU; needs the extra gpu), cpu, or auto (a GPU if there is "
    "one that holds the head)."
)


def known_device(device: str | None) -> str | None:
    """The device of an option, refused before any work if there is no such; None was not said."""
    return None if device is None else checks.choice("--device", device, DEVICES)


Device = Annotated[str, typer.Option(help=DEVICE_HELP, callback=known_device)]
POSE_HELP: Final = (
    "File of a pose, of a navigator or a 4x4 coil-to-head matrix; one of several is chosen behind it, FILE:NAME (see "
    "`efield poses`). It has its own angle and distance: --angle and --distance are refused beside it."
)
Pose = Annotated[str | None, POSE_HELP]
Angle = Annotated[
    str | None,
    "Direction of the induced current, degrees from anterior toward the midline, or best: the target's "
    "own preferred direction, which is meant unless an angle is given (45 where a target has none). At 45 the "
    "handle of a coil that induces away from it is back and to the side (see `efield coils info`).",
]
AllowCollision = Annotated[
    bool,
    typer.Option(
        "--allow-collision",
        help="Compute also where nobody holds a coil: in the head, turned away, far off, or not over the target.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace the results of an earlier run that are in the folder.")]


def out_option(folder: Path, what: str = "the results") -> Any:
    """The folder that something is written to, by default this one."""
    return typer.Option(
        help=f"Folder for {what}. If this one holds some already, new ones go to {folder}-2, -3, ...; one that you "
        "name is refused then."
    )


Forbidden = Annotated[
    list[str] | None,
    "Where the casing must not be: a sphere x,y,z,radius in mm (ear, eye), or a mask of scalp that it must "
    "not cover (mask.nii.gz:3); repeatable.",
]
Json = Annotated[bool, typer.Option("--json", help="Print as JSON on standard output.")]


C = TypeVar("C", bound=Callable[..., Any])


class Commands(typer.Typer):
    """Commands whose options may be annotated with words alone."""

    def command(self, name: str | None = None, **how: Any) -> Callable[[C], C]:
        """As that of Typer."""
        register = super().command(name, **how)

        def decorate(command: C) -> C:
            defaults = {name: option.default for name, option in inspect.signature(command).parameters.items()}
            said = command.__annotations__
            command.__annotations__ = {name: _option(name, one, defaults.get(name)) for name, one in said.items()}
            return register(command)

        return decorate


def _option(name: str, said: Any, default: Any) -> Any:
    """What Typer takes for an annotation; a switch that is off has no option that turns it off."""
    words = getattr(said, "__metadata__", (None,))[0]
    if not isinstance(words, str):
        return said
    kind = get_args(said)[0]
    switch = bool in (kind, *get_args(kind)) and default is not True
    names = [f"--{name.replace('_', '-')}"] if switch else []
    return getitem(Annotated, (kind, typer.Option(*names, help=words)))


def _default(field: Field[Any]) -> Any:
    """Of an option; a field without a default is an option that must be given."""
    return inspect.Parameter.empty if field.default is MISSING else field.default


def _check_rivals(ctx: typer.Context, given: Mapping[str, Any]) -> None:
    """Refuse an angle or a gap beside a pose, which has its own: one of them would be passed over without a word."""
    for pose in (name for name in given if name.endswith("pose") and given[name] is not None):
        for rival in (f"{pose.removesuffix('pose')}{what}" for what in ("angle", "distance")):
            source = ctx.get_parameter_source(rival) if rival in given else None
            if source is not None and source.name == "COMMANDLINE":
                options = [f"--{name.replace('_', '-')}" for name in (rival, pose)]
                raise InputError(
                    f"{' and '.join(options)} must not be given together: a pose has its own angle and distance; leave "
                    f"{options[0]} out"
                )


def asking_for(request: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator of commands: the first argument becomes a dataclass whose fields are the command's options.

    Parameters
    ----------
    request : type
        A dataclass; each field is annotated as an argument of a command of `Commands` would be.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def options_to_request(ctx: typer.Context, **given: Any) -> None:
            _check_rivals(ctx, given)
            rest = {name: given.pop(name) for name in others}
            command(request(**given), **rest, **({"ctx": ctx} if wants_context else {}))

        others = dict(list(inspect.signature(command).parameters.items())[1:])
        wants_context = others.pop("ctx", None) is not None
        hints = get_type_hints(request, include_extras=True)
        kind = inspect.Parameter.KEYWORD_ONLY
        options = [
            inspect.Parameter(f.name, kind, default=_default(f), annotation=_option(f.name, hints[f.name], f.default))
            for f in fields(request)
        ]
        options += [option.replace(kind=kind) for option in others.values()]
        options.append(inspect.Parameter("ctx", kind, annotation=typer.Context))
        options_to_request.__name__, options_to_request.__doc__ = command.__name__, command.__doc__
        options_to_request.__annotations__ = {option.name: option.annotation for option in options}
        # What Typer reads the options from.
        vars(options_to_request)["__signature__"] = inspect.Signature(options)
        return options_to_request

    return decorate
