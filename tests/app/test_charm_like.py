"""From labels with eyes, spongy bone, blood and muscle to the field of a coil, on the command line."""

import json

import nibabel
import numpy as np
import pytest

from tests.app.command import run

RADII = {5: 64.0, 7: 53.0, 3: 43.0, 2: 37.0, 1: 27.0}


@pytest.fixture
def labels(tmp_path):
    axis = np.arange(-66.0, 67.0, 3.0)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    r, x = np.linalg.norm(grid, axis=-1), grid[..., 0]
    volume = np.zeros(r.shape, np.uint8)
    for tag, radius in RADII.items():
        volume[r < radius] = tag
    volume[(np.abs(r - 48) < 3) & (grid[..., 2] > 0)] = 8
    volume[(np.abs(x) < 5) & (np.abs(r - 41) < 4) & (volume == 3)] = 9
    volume[(volume == 5) & (np.abs(x) > 35)] = 10
    for side in (-22.0, 22.0):
        volume[np.linalg.norm(grid - (side, 52, -15), axis=-1) < 12] = 6
    affine = np.diag([3.0, 3, 3, 1])
    affine[:3, 3] = -66
    nibabel.save(nibabel.Nifti1Image(volume, affine), tmp_path / "final_tissues.nii.gz")
    return tmp_path / "final_tissues.nii.gz"


def test_a_head_with_all_tissues_of_charm_is_built_and_solved(monkeypatch, capsys, labels, tmp_path):
    head, out = tmp_path / "head.msh", tmp_path / "out"
    assert run(monkeypatch, "mesh", "build", labels, head, "--scale", "4", "--mni", "none", "--json") == 0
    tissues = json.loads(capsys.readouterr().out)["tissues"]
    assert [row["tag"] for row in tissues] == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    for row in tissues:
        assert row["volume_cm3"] == pytest.approx(row["label_cm3"], rel=0.05, abs=0.5)
    assert run(monkeypatch, "simulate", "--head", head, "--out", out / "hand") == 2  # a ball has no hand area
    assert "--register" in capsys.readouterr().err
    code = run(monkeypatch, "simulate", "--head", head, "--target=-18,0,26", "--out", out, "--no-cache", "--json")
    assert code == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["conductivity"]) == {"1", "2", "3", "5", "6", "7", "8", "9", "10"}
    # A figure-8 at 1 A/us induces about 1 V/m two to three centimeters below it.
    assert 0.3 < result["measures"]["mean_magnitude"]["value"] < 2.0
