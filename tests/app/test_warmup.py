"""The second process compiles what it says, and none is started when that has been done."""

import subprocess
import sys

from efield.app.warmup import Warmup

_COMPARED = """
import sys
import numpy as np
from efield import Simulator, Target, load_coil
from efield.app import warmup
from efield.ground.pose import Pose
from efield.head.spheres import sphere_head
from efield.kernels import measures
from efield.kernels.elements import bubbles, multigrid, patches, recovery
from efield.kernels.geometry import raster

parts = [multigrid._smoothing_step, multigrid._descend, recovery.recover, recovery.centers]
parts += [bubbles.apply, bubbles.field_at, measures._measures]
kernels = [patches.corners, raster.paint_magnitude, *(each.kernel for each in parts)]
warmup._compile()
compiled = [list(kernel.signatures) for kernel in kernels]
assert all(compiled), compiled
head = sphere_head((70.0, 73.0, 79.0, 85.0), (2, 3, 4, 5), edge_mm=25.0)
pose = Pose(np.diag([-1.0, 1, -1, 1]))
field = Simulator(head, solver="multigrid").solve(load_coil("d70"), pose, allow_collision=True)
field.summary(Target.sphere(center_mm=(0.0, 0.0, 60.0), radius_mm=15.0)).measures
field.to_nifti(sys.argv[1])
assert [list(kernel.signatures) for kernel in kernels] == compiled
"""


def test_it_compiles_what_a_simulation_needs(tmp_path):
    subprocess.run([sys.executable, "-P", "-c", _COMPARED, str(tmp_path / "field.nii")], check=True)


def test_no_process_is_started_for_kernels_that_are_there(monkeypatch):
    monkeypatch.setattr("efield.app.warmup._compiled_before", lambda: True)
    with Warmup() as warmup:
        warmup.wait()
        assert warmup._process is None


def test_a_process_that_is_not_awaited_is_stopped(monkeypatch):
    monkeypatch.setattr("efield.app.warmup._compiled_before", lambda: False)
    with Warmup() as warmup:
        process = warmup._process
    assert process is not None
    assert process.poll() is not None
