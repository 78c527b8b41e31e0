"""What `efield view` looks at: a basis, results, a study, a head or a file with a field, told by what is there."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from efield.app.console import remark
from efield.app.view_request import ViewRequest
from efield.basis.storage import describe
from efield.campaign.files import BASES
from efield.coils.model import Coil
from efield.explorer.stored import StoredField, numbers_of
from efield.ground.errors import InputError, naming
from efield.ground.pose import Pose
from efield.head.conductivity import Conductivity
from efield.head.mesh import HeadMesh
from efield.io.load import HEAD_NAMES, load_coil
from efield.io.poses.pose_table import PoseTable
from efield.targeting.targets import Target

_COIL: Final = "magstim-70mm-figure8"

#: Placements of a study that are listed.
_BEST: Final = 20

#: Files of results that hold the field, the first that is there.
_FIELDS: Final = ("field.vtu", "field.msh")

#: What a folder of ours holds, by a file in it.
_MARKS: Final = {"basis.json": "basis", "study.json": "study", "summary.json": "result"}


@dataclass(frozen=True, eq=False)
class Looked:
    """What was found.

    Parameters
    ----------
    page : str or None
        A page on which nothing moves, if that is all there is.
    basis : Path or None
    head : str
        Name or file.
    coil : str
        Name or file.
    target : callable or None
        Gives the target on the head.
    start : Pose or None
    didt : float or None
    poses : PoseTable or None
        To choose from.
    load : callable or None
        Loads the head, if its name does not say how.
    build : bool
        A basis is to be built.
    conductivity : Conductivity or None
        What holds unless the request says otherwise, if that is not the default table.
    order : int
        Of the elements.
    """

    page: str | None = None
    basis: Path | None = None
    head: str = "mni152"
    coil: str = _COIL
    target: Callable[[HeadMesh], Target] | None = None
    start: Pose | None = None
    didt: float | None = None
    poses: PoseTable | None = None
    load: Callable[[], HeadMesh] | None = None
    build: bool = False
    conductivity: Conductivity | None = None
    order: int = 1


def looked_at(request: ViewRequest) -> Looked:
    """What a request looks at; what it says of head and coil comes before what the source says.

    Raises
    ------
    InputError
        If it is nothing that can be looked at.
    """
    found = _found(request)
    if request.basis is not None and found.page is None:
        found = replace(found, basis=request.basis, build=False)
    changes = {name: value for name in ("head", "coil") if (value := getattr(request, name)) is not None}
    own = found if request.head is None else replace(found, load=None, conductivity=None)
    return replace(own, **changes)


def _found(request: ViewRequest) -> Looked:
    path = Path(request.source)
    kind = next((kind for mark, kind in _MARKS.items() if (path / mark).is_file()), "")
    if kind == "basis":
        return _basis(path, request)
    if kind == "study" or path.name == "sweep.zarr":
        return _study(path, request)
    if kind == "result":
        return _result(path, request)
    is_mesh = path.suffix.lower() in (".vtu", ".msh") and path.is_file()
    if is_mesh and request.basis is None and (field := StoredField.read(path)) is not None:
        return Looked(page=field.page(path.name, image=request.t1))
    if request.source not in HEAD_NAMES and not path.exists():
        raise InputError(
            "SOURCE must be a folder of `efield basis build`, `efield simulate` or `efield sweep`, a head "
            f"({', '.join(HEAD_NAMES)}, a mesh file, m2m_<id>) or a mesh file with a field; instead there is no "
            f"{request.source}"
        )
    return Looked(head=request.source, build=True)


def _basis(path: Path, request: ViewRequest) -> Looked:
    coil = describe(path)["coil"]
    if coil == "any" and request.coil is None:
        raise InputError(f"--coil must be given: the basis {path} serves any coil")
    return Looked(basis=path, coil=coil)


def _result(path: Path, request: ViewRequest) -> Looked:
    note = path / "summary.json"
    with naming(note):
        document = _document(note)
        pose, didt = Pose(np.array(document["pose"], np.float64)), float(document["didt"])
    if request.basis is not None:
        return Looked(head=document["head"]["name"], coil=document["coil"], start=pose, didt=didt)
    file = next((path / name for name in _FIELDS if (path / name).is_file()), None)
    field = None if file is None else StoredField.read(file)
    if field is None:
        raise InputError(f"{path} must hold {' or '.join(_FIELDS)} with a field; instead it has none")
    coil, target = _coil(request.coil or document["coil"]), _target(document["target"])
    title = f"{document['coil']} over {target.name}, {didt / 1e6:.4g} A/us"
    known: dict[str, Any] = {"coil": coil, "pose": pose, "target": target}
    known |= {"numbers": numbers_of(document["measures"]), "image": image_file(request, document["head"]["name"])}
    return Looked(page=field.page(title, **known))


def image_file(request: ViewRequest, head: str) -> Path | None:
    """What slices show: the file that is named, or the T1 in a subject's folder."""
    inside = Path(head) / "T1.nii.gz"
    return request.t1 or (inside if inside.is_file() else None)


def _document(note: Path) -> dict[str, Any]:
    try:
        document = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"it must be what `efield simulate` wrote; instead: {error}") from error
    needed: dict[str, Any] = {
        "head": dict,
        "coil": str,
        "pose": list,
        "didt": (int, float),
        "target": dict,
        "measures": dict,
    }
    wrong = [
        name
        for name, kind in needed.items()
        if not isinstance(document, dict) or not isinstance(document.get(name), kind)
    ]
    if wrong:
        raise InputError(f"it must be what `efield simulate` wrote; instead it says nothing of {', '.join(wrong)}")
    return dict(document)


def _coil(name: str) -> Coil | None:
    """The coil of some results, if it can be found again."""
    try:
        return load_coil(name)
    except InputError:
        remark(f"the coil {name} is not drawn: give its file with --coil")
        return None


def _target(note: dict[str, Any]) -> Target:
    """The place of a target; older results do not say how large it was."""
    if missing := {"center_mm", "radius_mm", "name"} - set(note):
        raise InputError(
            f"summary.json must say all of its target; instead {', '.join(sorted(missing))} is missing: simulate anew"
        )
    return Target.sphere(center_mm=note["center_mm"], radius_mm=note["radius_mm"], name=note["name"])


def _study(path: Path, request: ViewRequest) -> Looked:
    """The first head of a study that something is known of, with the best placements of its best cell."""
    from efield.campaign.best import best
    from efield.campaign.store import reading

    store = reading(path)
    block = best(store, top=_BEST, among={"coil": None})[0]
    study = store.study
    head = next(entry for entry in study.heads if entry.label == block.head)
    coil = next(entry for entry in study.coils if entry.label == block.coil)
    target = next(entry for entry in study.targets if entry.label == block.target)
    names = [f"{row[block.measure]:.4g}  {block.measure}, placement {row['placement']}" for row in block.rows]
    rates = {"didt": np.array([row["didt"] for row in block.rows])}
    poses = PoseTable(np.array([row["pose"] for row in block.rows]), tuple(names), rates)
    where = store.folder / BASES / ".".join((block.head, block.target, block.coil))
    return Looked(
        basis=where if (where / "basis.json").is_file() and not request.solver else None,
        head=head.source,
        coil=coil.source if not (study.base / coil.file(study.base)).is_file() else str(study.base / coil.source),
        target=lambda mesh: target.on(mesh, study.base),
        start=poses[0],
        didt=float(block.rows[0]["didt"]),
        poses=poses,
        load=lambda: head.load(study.base),
        conductivity=head.conductivities(),
        order=study.engine.order,
    )
