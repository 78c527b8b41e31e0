"""A study is checked before any work, everything that is wrong with it is told at once, with its place."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from efield.campaign.plan import parse_study, read_study
from efield.campaign.problems import StudyError, line_of
from efield.campaign.store import writing
from efield.campaign.study import CoilEntry
from efield.campaign.survey import survey
from efield.ground.errors import FileFormatError
from efield.head.spheres import sphere_head
from efield.io.volumes.nifti import write_volume
from efield.targeting.placement import place_coil
from efield.targeting.targets import m1_hand


def problems(path):
    with pytest.raises(StudyError) as found:
        read_study(path)
    return {problem.place: problem for problem in found.value.problems}


def test_everything_wrong_is_listed_at_once_with_its_line(study_file):
    path = study_file(
        ("sphere.msh", "nothing.msh"),
        ('two = "', 'ring = "magstim-70mm-figure9"\ntwo = "'),
        ("m1-hand-left", "m1-hnad-left"),
        ("radius_mm = 6\n", "radius_mm = -6\n"),
        ("spacing_mm", "spacing"),
        ("didt = [1e6, -5e7]", "didt = 1e6\nintensity_percent = 150"),
        ("chunk = 8", 'chunk = 0\nmeasures = ["mean"]'),
    )
    found = problems(path)
    text = path.read_text().splitlines()
    expected = {
        "heads.a": "must be a file that exists",
        "heads.b": "must be a file that exists",
        "coils.ring": "magstim-70mm-figure8",
        "targets.hand.name": "m1-hand-left",
        "grid.spacing": "did you mean 'spacing_mm'?",
        "grid.radius_mm": "radius_mm must be between 0",
        "drive": "together",
        "output.chunk": "whole number",
        "output.measures": "mean_magnitude",
    }
    assert set(expected) <= set(found)
    for place, words in expected.items():
        messages = " ".join(str(p) for p in _all(path) if p.place == place)
        assert words in messages
        assert place.split(".")[-1] in text[found[place].line - 1] or place == "targets.hand.name"


def _all(path):
    with pytest.raises(StudyError) as found:
        read_study(path)
    return found.value.problems


BAD = {
    "an unknown section": (("[drive]", "[drvie]"), "drvie", "did you mean 'drive'?"),
    "text for a number": (("chunk = 8", 'chunk = "8"'), "output.chunk", "whole number"),
    "a boolean for a number": (("radius_mm = 6\n", "radius_mm = true\n"), "grid.radius_mm", "must be a number"),
    "a range that leads away": (("step = 45", "step = -45"), "grid.angles_deg", "lead from start to stop"),
    "an angle twice": (("{ start = 0, stop = 135, step = 45 }", "[0, 45, 0]"), "grid.angles_deg", "each value once"),
    "a drive twice": (("[1e6, -5e7]", "[1e6, 1e6]"), "drive", "different"),
    "a nan": (("didt = [1e6, -5e7]", "didt = nan"), "drive.didt", "finite"),
    "an unknown tissue": (("bone = 0.02", "bonne = 0.02"), "heads.b.conductivity.bonne", "bone"),
    "a tissue twice": (("bone = 0.02", "bone = 0.02, skull = 0.01"), "heads.b.conductivity.skull", "once"),
    "mS/m": (("bone = 0.02", "bone = 20"), "heads.b.conductivity.bone", "mS/m"),
    "a label that is no file name": (("a = ", '"../a" = '), "heads.../a", "letters, digits"),
    "no head": (("[heads]", "[heads]\n[unused]"), "heads", "at least one"),
    "an option of another engine": (("[drive]", "[engine]\nbasis_tol = 0.1\n[drive]"), "engine.basis_tol", "reduced"),
    "a device that chunks might not share": (
        ("[drive]", '[engine]\ndevice = "auto"\n[drive]'),
        "engine.device",
        "cpu, cuda",
    ),
    "fields of the engine that has none": (
        ("[output]", '[engine]\nkind = "reciprocal"\n[output]\nfields = true'),
        "output.fields",
        "must be false",
    ),
    "a share for percent": (("didt = [1e6, -5e7]", "intensity_percent = 0.52"), "drive", "write 52 for 52 %"),
    "percent of an unknown maximum": (("didt = [1e6, -5e7]", "intensity_percent = 50"), "drive", "not known"),
    "a direction for a name": (("radius_mm = 20", "direction = [1, 0, 0]"), "targets.hand.direction", "center_mm"),
    "no place to write": (('folder = "out"', ""), "output", "folder must be given"),
    "poses for two heads": (("radius_mm = 6\n", 'poses = "p.npy"\n'), "grid.poses", "one head"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_entries_are_refused(study_file, case):
    change, place, words = BAD[case]
    messages = [str(p) for p in _all(study_file(change)) if p.place == place]
    assert messages
    assert words in " ".join(messages)


def test_files_that_are_no_studies_are_refused(tmp_path):
    cases = {"missing.toml": None, "broken.toml": b"[heads\n", "binary.toml": b"\xff\x00", "long.toml": b"#" * 2**21}
    for name, content in cases.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(FileFormatError, match=name):
            read_study(tmp_path / name)


def test_ranges_hold_both_ends_and_lists_are_taken_as_they_are(study_file):
    assert read_study(study_file()).grid.angles_deg == (0.0, 45.0, 90.0, 135.0)
    fine = study_file(("{ start = 0, stop = 135, step = 45 }", "{ start = 0, stop = 0.3, step = 0.1 }"))
    assert read_study(fine).grid.angles_deg == pytest.approx((0, 0.1, 0.2, 0.3))


def test_chunks_cover_every_placement_of_every_cell_once(study):
    seen = {cell: [] for cell in study.cells}
    for chunk in study.chunks():
        seen[chunk.cell] += range(chunk.first, chunk.first + chunk.count)
    assert len(seen) == 2
    assert all(rows == list(range(study.count)) for rows in seen.values())
    assert study.count == study.grid.count == 20


def test_the_example_is_what_a_new_study_is():
    root = Path(__file__).parents[2]
    example = root / "examples" / "study.toml"
    assert example.read_bytes() == (root / "efield" / "campaign" / "template.toml").read_bytes()
    study = read_study(example)
    assert study.count == study.grid.count
    assert parse_study(tomllib.loads(example.read_text()), example.parent).cells == study.cells


def poses_study(study_file, files, poses, **options):
    (files / "poses.npy").unlink(missing_ok=True)
    np.save(files / "poses.npy", poses)
    return study_file(
        ('b = { path = "' + f'{files}/sphere.msh", conductivity = {{ bone = 0.02 }} }}', ""),
        (
            "radius_mm = 6\nspacing_mm = 6\nangles_deg = { start = 0, stop = 135, step = 45 }",
            f'poses = "{files}/poses.npy"',
        ),
    )


def test_poses_come_from_a_file_and_must_be_rigid_and_clear(study_file, files):
    head = sphere_head(edge_mm=20.0)
    poses = np.array([place_coil(head, m1_hand(head), angle, 5.0).matrix for angle in (0, 30)])
    study = read_study(poses_study(study_file, files, poses))
    # The nearest rotation to a rotation is itself up to rounding.
    assert np.allclose(study.poses, poses, rtol=0, atol=1e-12)
    survey(study)
    inside = poses.copy()
    inside[1, :3, 3] *= 0.5
    with pytest.raises(StudyError, match=r"1 of 2 poses do not, the first is number 1"):
        survey(read_study(poses_study(study_file, files, inside)))
    for damage, words in ((poses[:, :2], "shape"), (poses * 2, "pose 1"), (poses + np.nan, "finite")):
        (problem,) = _all(poses_study(study_file, files, damage))
        assert words in problem.message
    np.savetxt(files / "poses.csv", poses.reshape(2, 16), delimiter=",")
    path = poses_study(study_file, files, poses)
    path.write_text(path.read_text().replace("poses.npy", "poses.csv"))
    assert np.allclose(read_study(path).poses, poses)


def test_what_a_head_lacks_is_listed_for_all_targets(study_file):
    path = study_file(
        ("[targets]", '[targets]\nleg = "m1-hand-left:mayka"\nfar = { center_mm = [0, 0, 300] }'),
        ("conductivity = { bone", "conductivity = { csf"),
    )
    with pytest.raises(StudyError) as found:
        survey(read_study(path))
    messages = [str(problem) for problem in found.value.problems]
    assert len(messages) == 4
    assert sum("targets.leg on head" in message and "MNI" in message for message in messages) == 2
    assert sum("targets.far on head" in message for message in messages) == 2


def test_a_region_of_a_file_is_looked_up_from_the_study_and_kept_with_its_facts(study_file, tmp_path):
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = -60
    labels = np.zeros((31, 31, 31), np.uint8)
    labels[:15, :, 20:] = 1
    write_volume(tmp_path / "mask.nii.gz", labels, affine, code=1)
    hand = 'hand = { name = "m1-hand-left", radius_mm = 20 }'
    facts = survey(read_study(study_file((hand, 'hand = "mask.nii.gz:1"'))))
    told, plain = facts.heads[0].targets[0], survey(read_study(study_file())).heads[0].targets[0]
    assert told.tets > 10
    assert told.region
    assert plain.region == ""
    assert len(plain.spread_mm) == 3
    assert "hotspot" in plain.source
    assert told.digest != replace(told, region="other").digest
    assert type(facts).from_json(json.loads(json.dumps(facts.to_json()))) == facts
    missing = study_file((hand, 'hand = "mask.nii.gz:2"'))
    assert "must hold the label 2" in " ".join(map(str, _all(missing)))
    narrow = study_file((hand, 'hand = { name = "mask.nii.gz:1", radius_mm = 20 }'))
    with pytest.raises(StudyError, match="radius_mm must be left out"):
        survey(read_study(narrow))


def test_lines_are_found_in_tables_and_inline():
    text = "[a]\nx = 1\n# x = 2\n[b]\nx = { y = 1 }\n"
    assert [line_of(text, place) for place in ("a.x", "b.x", "b.x.y", "b.z", "c")] == [2, 5, 5, 4, None]


def test_every_part_that_is_wrong_is_told_and_no_consequences_of_it(study_file):
    path = study_file(
        ("bone = 0.02", "bonne = 0.02, csf = -1, scalp = 0.4"),
        ("radius_mm = 6\n", "radius_mm = 99\n"),
        ("spacing_mm = 6", "spacing_mm = 0"),
        ("[output]", '[engine]\nkind = "recprocal"\nbasis_tol = 0.01\n[output]'),
    )
    found = _all(path)
    assert [problem.place for problem in found] == [
        "heads.b.conductivity.bonne",
        "heads.b.conductivity.csf",
        "grid.radius_mm",
        "grid.spacing_mm",
        "engine.kind",
    ]
    lines = [problem.line for problem in found]
    assert lines == sorted(lines)


def test_files_of_coils_and_caps_are_looked_up_from_the_folder_of_the_study(study_file, files, tmp_path, monkeypatch):
    (tmp_path / "cap.csv").write_text("Electrode,-51.0,0.0,70.0,mine\n")
    path = study_file(("[targets]", '[targets]\ncap = { name = "cap.csv:mine", radius_mm = 20 }'))
    monkeypatch.chdir(files)
    facts = survey(read_study(path))
    assert "mine" in facts.heads[0].targets[0].note
    sources = ("a/b.tcd:stimulator=1", "C3", "x.ccd")
    assert [CoilEntry("x", text).file(tmp_path) for text in sources] == ["a/b.tcd", "C3", "x.ccd"]


def test_a_study_and_its_store_say_what_they_are_in_a_few_lines(study):
    with writing(study) as store:
        for thing in (study, store):
            assert len(repr(thing)) <= 400
            assert repr(thing).startswith(type(thing).__name__)
            assert study.engine.kind in repr(thing)
            assert "<table" in thing._repr_html_()
