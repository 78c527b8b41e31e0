"""Files that stand in for others are refused as such by every reader."""

import pytest

from efield.campaign.plan import read_study
from efield.ground.errors import FileFormatError
from efield.io.conductivity_table import read_conductivity_table
from efield.io.eeg_positions import read_eeg_positions
from efield.io.load import load_coil, load_head
from efield.io.poses.reading import load_pose
from efield.io.surfaces.gifti import read_surface
from efield.io.volumes.label_map import read_label_map
from efield.io.volumes.labels import read_labels
from efield.io.volumes.tensor import read_tensors

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
ANNEX = b"/annex/objects/SHA256E-s120--abc.nii.gz\n"
PAGES = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>",
    b"\xef\xbb\xbf\r\n <HTML lang=en><body>404</body></HTML>",
    b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0"><html></html>',
)

READERS = {
    "a.msh": load_head,
    "a.vtu": load_head,
    "a.vtk": load_head,
    "a.ccd": load_coil,
    "a.tcd": load_coil,
    "a.nii.gz": load_coil,
    "a.toml": load_coil,
    "b.csv": load_coil,
    "a.txt": load_pose,
    "a.nii": read_labels,
    "a.mgz": read_labels,
    "c.nii": lambda path: read_tensors(path, "fsl"),
    "a.csv": read_eeg_positions,
    "c.csv": read_conductivity_table,
    "d.csv": read_label_map,
    "a.gii": read_surface,
    "lh.pial": read_surface,
    "s.toml": read_study,
}


@pytest.mark.parametrize("name", READERS)
def test_every_reader_says_what_it_was_given(tmp_path, name):
    path = tmp_path / name
    for data, words in ((LFS, "git lfs pull"), (ANNEX, "git annex get"), *((page, "web page") for page in PAGES)):
        path.write_bytes(data)
        with pytest.raises(FileFormatError, match=words):
            READERS[name](path)
