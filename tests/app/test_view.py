"""`efield view`: what a source is, and what is made of it."""

import json
import sys
from urllib.request import urlopen

import numpy as np
import pytest

from efield.app import view_engine
from efield.app.cli import main
from efield.app.view_engine import live_parts
from efield.app.view_request import ViewRequest
from efield.app.view_sources import looked_at
from efield.basis.reduced_basis import ReducedBasis
from efield.campaign.plan import read_study
from efield.campaign.run import run as run_study
from efield.ground.errors import InputError
from efield.head.surface import brain
from efield.io.coils.ccd import write_ccd
from efield.io.meshes.gmsh import write_head
from efield.io.meshes.vtu import write_vtu
from efield.targeting.placement import place_coil

pytest.importorskip("aiohttp", reason="needs aiohttp (extra live)")

from efield.explorer.explorer import Explorer
from efield.explorer.stored import StoredField

pytestmark = pytest.mark.usefixtures("one_thread")

STUDY = """
[heads]
a = {{ path = "{files}/head.msh", conductivity = {{ bone = 0.02 }} }}
[coils]
two = "{files}/coil.ccd"
[targets]
hand = "m1-hand-left"
[grid]
radius_mm = 0
angles_deg = [0, 45, 90]
[output]
folder = "{files}/store"
"""


@pytest.fixture(scope="module")
def files(head, coil, basis, sim, target, tmp_path_factory):
    """A head, a coil, a basis, and the results of one placement."""
    folder = tmp_path_factory.mktemp("view")
    write_head(folder / "head.msh", head)
    write_ccd(folder / "coil.ccd", coil)
    basis.save(folder / "basis")
    results = folder / "results"
    results.mkdir()
    field = sim.solve(coil, place_coil(head, target, 45.0, 4.5, coil=coil), 3e6)
    field.save(results / "field.vtu")
    document = {
        "head": {"name": str(folder / "head.msh")},
        "coil": str(folder / "coil.ccd"),
        "pose": field.pose.matrix.tolist(),
        "didt": field.didt,
        "target": target.to_json(),
        "measures": field.summary(target).to_json(),
    }
    (results / "summary.json").write_text(json.dumps(document))
    return folder


@pytest.fixture
def same(sim, coil, monkeypatch):
    """The solver and the coil that the basis was made with, to the last bit."""
    monkeypatch.setattr(view_engine, "prepared", lambda *_: sim)
    monkeypatch.setattr(view_engine, "load_coil", lambda _: coil)


def look(source, **options):
    return looked_at(ViewRequest(source=str(source), **options))


def test_results_are_a_page_with_their_numbers(files):
    found = look(files / "results")
    said = json.loads((files / "results" / "summary.json").read_text())["measures"]["mean_magnitude"]
    assert f'["mean_magnitude", "{said["value"]:.3g} V/m"' in found.page
    assert '"induced current"' in found.page
    assert found.basis is None
    assert not found.build


@pytest.mark.usefixtures("same")
def test_results_with_a_basis_can_be_moved_from_where_they_were(files):
    request = ViewRequest(source=str(files / "results"), basis=files / "basis")
    parts = live_parts(request, looked_at(request), ())
    document = json.loads((files / "results" / "summary.json").read_text())
    np.testing.assert_allclose(parts.start.matrix, document["pose"])
    assert parts.didt == 3e6
    exact = document["measures"]["mean_magnitude"]["value"]
    parts.engine.didt = parts.didt
    assert parts.engine._measured(parts.start)[0]["mean_magnitude"] == pytest.approx(exact, rel=0.02)


def test_a_stored_field_is_averaged_by_volume_and_a_constant_one_stays(head):
    surface = brain(head)
    constant = StoredField(head, np.full(len(head.tets), 1.7)).nodal[2][surface.nodes]
    np.testing.assert_allclose(constant, 1.7)
    along = StoredField(head, head.barycenters[:, 2] + 100.0).nodal[2][surface.nodes]
    assert np.abs(along - 100.0 - surface.points_mm[:, 2]).max() < 12.0  # an edge


def test_a_file_with_a_field_is_shown_and_one_without_is_a_head(files, head, tmp_path):
    write_vtu(tmp_path / "theirs.vtu", head, cell_data={"normE": np.ones(len(head.tets))})
    assert look(tmp_path / "theirs.vtu").page is not None
    found = look(files / "head.msh")
    assert (found.page, found.head, found.build) == (None, str(files / "head.msh"), True)
    assert look("sphere").head == "sphere"


def test_a_basis_knows_its_coil_and_an_option_comes_before_it(files, coil):
    found = look(files / "basis")
    assert (found.basis, found.coil, found.head) == (files / "basis", coil.name, "mni152")
    assert look(files / "basis", coil="d70", head="sphere").coil == "d70"


def test_the_best_of_a_study_can_be_chosen(files, tmp_path):
    (tmp_path / "study.toml").write_text(STUDY.format(files=files))
    run_study(read_study(tmp_path / "study.toml"))
    request = ViewRequest(source=str(files / "store"))
    found = looked_at(request)
    assert len(found.poses) == 3
    assert found.page is None
    assert found.basis is None
    values = [float(name.split()[0]) for name in found.poses.names]
    assert values == sorted(values, reverse=True)
    parts = live_parts(request, found, ())
    parts.engine.didt = parts.didt
    name = found.poses.names[0].split()[1].rstrip(",")
    assert parts.engine._measured(parts.start)[0][name] == pytest.approx(values[0], rel=1e-3)
    assert parts.engine.sim.conductivity.values[4] == 0.02
    other = live_parts(ViewRequest(source=str(files / "store"), conductivity=["bone=0.03"]), found, ())
    assert other.engine.sim.conductivity.values[4] == 0.03


@pytest.mark.usefixtures("same")
def test_a_basis_is_built_once_and_kept(files, basis, tmp_path, monkeypatch):
    monkeypatch.setattr(ReducedBasis, "build", lambda *_, **__: basis)
    options = {"source": str(files / "head.msh"), "coil": str(files / "coil.ccd"), "keep": tmp_path / "kept" / "hand"}
    request = ViewRequest(**options)
    assert live_parts(request, looked_at(request), ()).engine.basis is basis
    monkeypatch.setattr(ReducedBasis, "build", None)
    again = live_parts(request, looked_at(request), ()).engine.basis
    assert again is not basis
    assert again.certificate == basis.certificate
    without = ViewRequest(**options, solver=True)
    assert live_parts(without, looked_at(without), ()).engine.basis is None


def test_only_bases_of_shipped_heads_are_kept_unasked(files, sim, coil, target):
    request = ViewRequest(source=str(files / "head.msh"))
    assert view_engine._kept(request, looked_at(request), sim, coil, target) is None
    shipped = view_engine._kept(request, look("sphere"), sim, coil, target)
    assert shipped != view_engine._kept(ViewRequest(tol=1e-2), look("sphere"), sim, coil, target)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("nothing", {}, "SOURCE must be"),
        ("results", {"summary": "{}"}, "says nothing of head"),
        ("results", {"summary": "{"}, "what `efield simulate` wrote"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(tmp_path, source, options, message):
    folder = tmp_path / "results"
    folder.mkdir()
    if "summary" in options:
        (folder / "summary.json").write_text(options["summary"])
    with pytest.raises(InputError, match=message):
        look(tmp_path / source)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("results", ("--target", "C3"), "--target has nothing to say"),
        ("results", ("--solver",), "--solver has nothing to say"),
        ("basis", ("--solver",), "is read"),
        ("basis", ("--axes", "brainsight"), "--poses or --follow"),
    ],
)
def test_options_that_nothing_would_come_of_are_refused(files, monkeypatch, capsys, source, options, message):
    monkeypatch.setattr(sys, "argv", ["efield", "view", str(files / source), "--no-open", *options])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("same")
def test_the_command_serves_the_page_until_it_is_ended(files, monkeypatch, capsys):
    pages = []
    monkeypatch.setattr(Explorer, "wait", lambda self: pages.append(urlopen(self.url).read()))
    arguments = [str(files / "basis"), "--head", str(files / "head.msh"), "--coil", str(files / "coil.ccd"), "--json"]
    monkeypatch.setattr(sys, "argv", ["efield", "view", *arguments, "--no-open", "--intensity", "50"])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 2  # nothing is known of this coil's output
    monkeypatch.setattr(sys, "argv", ["efield", "view", *arguments, "--no-open", "--didt", "2e6"])
    with pytest.raises(SystemExit) as leaving:
        main()
    told = json.loads(capsys.readouterr().out)
    assert (leaving.value.code or 0, told["event"], len(pages)) == (0, "ready", 1)
    assert b"<canvas" in pages[0]
