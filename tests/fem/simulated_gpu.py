"""What the GPU's code gives in Numba's simulator: reads a problem from one file, writes answers to another.

It runs in a process of its own (tests/fem/test_gpu.py), because Numba decides on the simulator when it is imported.
"""

import sys
import threading
import warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numba.cuda
import numpy as np
from numba.cuda.simulator.kernel import BlockManager, BlockThread

import efield.fem.multigrid
import efield.fem.ordering
from efield.coils.drive import Drive
from efield.coils.model import Coil, Dipoles, SampledField, Segments
from efield.fem.answers import Places
from efield.fem.gpu import elements, steps
from efield.fem.problem import FemProblem
from efield.ground.pose import Pose
from efield.head.mesh import HeadMesh
from efield.kernels.cuda import blocks, coils, cycle, launch, measures, recovery
from efield.kernels.cuda import elements as element_kernels
from efield.targeting.device_primary import primary_of
from efield.targeting.measuring import DeviceMeasures, Measuring
from efield.targeting.target import Target

TOL = 1e-5
KERNELS = blocks, coils, cycle, element_kernels, measures, recovery


def make_the_simulator_safe():
    """Threads stand for those of a block, and two of them change what they share at one time, in two places."""
    from numba.cuda.simulator.kernelapi import FakeCUDAShared

    lock, array = threading.Lock(), FakeCUDAShared.array

    def locked(self, *args, **options):
        with lock:
            return array(self, *args, **options)

    FakeCUDAShared.array = locked
    numba.cuda.simulator.kernel.swapped_cuda_module = swapped_at_launch
    BlockManager.run, BlockThread.syncthreads = run_block, lambda thread: thread._manager.meeting.wait(60.0)


def run_block(manager, grid_point, *args):
    """Threads of a block wait for each other; the simulator's own are looked at by one that never rests."""
    places = list(np.ndindex(*manager._block_dim))
    manager.meeting = threading.Barrier(len(places))

    def target():
        try:
            manager._f(*args)
        except BaseException:
            manager.meeting.abort()
            raise

    threads = [BlockThread(target, manager, grid_point, place, manager._debug) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failed = [thread.exception for thread in threads if thread.exception]
    for error, trace in sorted(failed, key=lambda one: isinstance(one[0], threading.BrokenBarrierError)):
        raise error.with_traceback(trace)


@contextmanager
def swapped_at_launch(_function, context):
    """A launch puts its context into every module of kernels; a function on the device that it calls, into none.

    The simulator's own does both, while other threads read those modules and give them `__warningregistry__`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    for module in KERNELS:
        module.cuda = context
    try:
        yield
    finally:
        for module in KERNELS:
            module.cuda = numba.cuda


def answers(problem, dadt):
    found = list(problem.answers(dadt, dadt.shape[2]))
    return {
        "phi": np.stack([answer.phi for answer in found], axis=1),
        "e": np.stack([answer.e for answer in found], axis=2),
        "dadt": np.stack([answer.dadt for answer in found], axis=2),
        "iterations": found[0].iterations,
    }


def measured(problem, given):
    """Measures at a target, E in two tetrahedra, and the recovered field that they are of."""
    target = Target.sphere(center_mm=given["target"], radius_mm=30.0, direction=(0.6, 0.0, 0.8))
    measuring, fields = Measuring(problem, target, np.array([3, 50])), []

    def take(at_pairs, in_tets):
        fields.append(at_pairs.copy_to_host())
        return measuring(at_pairs, in_tets)

    found = problem.fields_at(given["dadt"], 3, measuring.places, take)
    tables, e = (np.concatenate(each) for each in zip(*found, strict=True))
    faceless = replace(measuring.measures, areas=np.empty(0), normals=np.empty((0, 3)))
    rows = replace(measuring.rows, faces=np.empty((0, 3), int))
    without = DeviceMeasures(faceless, rows)(steps.to_device(fields[0][:1]))
    return {"measures": tables, "in_tets": e, "at_pairs": np.concatenate(fields), "faceless": without}


def load_with_tensors(problem, given):
    """Right-hand sides of anisotropic elements on the pattern of the problem's matrix."""
    other = FemProblem(problem.head, given["tensors"], device="cpu", solver="multigrid")
    mesh = elements.DeviceElements(other.linear, problem._solver)
    out = problem._solver.load_buffer(2)
    dadt = steps.room((out.shape[0], 3, 2))
    mesh._solver.upload(given["dadt"][..., :2], dadt)
    element_kernels.load[launch.by_row(*out.shape)](*problem._solver.csr[:2], mesh._weights, dadt, out)
    load = np.empty((len(other.head.points), 2))
    load[problem._solver.order] = out.copy_to_host()
    return load


def primary(problem, given):
    """dA/dt at the head's nodes of dipoles and segments, of both driven together, of samples; and what is not known."""
    one, pose = Coil(name="one", sources=(Dipoles(given["dipoles"], given["moments"]),)), Pose(given["pose"])
    other = Coil(name="other", sources=(Segments(given["starts"], given["ends"], np.ones(len(given["ends"]))),))
    both, grid = Coil(name="both", sources=one.sources + other.sources), SampledField(given["affine"], given["samples"])
    placements = [
        [Drive(both, pose, 2e6)],
        [Drive(one, pose, 1e6), Drive(other, pose, -1e6)],
        [Drive(Coil(name="grid", sources=(grid,)), pose)],
    ]
    points, out = problem._resident.points, steps.room((len(given["points"]), 3, 4))
    assert primary_of(problem, placements, lambda coil: True, None)(slice(0, 3), points, out) is None
    found = np.empty((len(given["points"]), 3, 4))
    found[problem._solver.order] = out.copy_to_host()
    touching = Coil.from_dipoles(given["points"][:1], given["moments"][:1])
    few = Coil(name="few", sources=(SampledField(given["affine"], given["samples"][:2]),))
    unknown = [[Drive(touching, Pose(np.eye(4)))], [Drive(few, pose)]]
    ask = primary_of(problem, unknown, lambda coil: True, lambda: np.arange(2.0)[None])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of infinity times zero, which a GPU does not say
        return found, np.concatenate([ask(slice(number, number + 1), points, out)[0] for number in range(2)])


def stored(given):
    places, pose = steps.to_device(given["places"]), given["pose"]
    missing, a = steps.room((len(given["places"]),), np.int32), steps.room(given["places"].shape)
    tree = steps.to_device(given["children"]), steps.to_device(given["coefficients"])
    turned = steps.to_device(pose[:3, :3]), steps.to_device(1e-3 * pose[:3, 3])
    coils.stored[launch.by_item(len(given["places"]))](places, *turned, 0.32, *tree, missing, a)
    return np.where(missing.copy_to_host()[:, None] == 1, np.nan, a.copy_to_host())


def with_little_memory(problem, dadt):
    """The memory runs out once; then columns are solved one width lower, the rest again."""
    launch.WIDTHS, problem._solver.widest = (2, 1), 2
    room, left = elements.room, [1]

    def scarce(*given):
        if left and left.pop():
            raise RuntimeError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")
        return room(*given)

    elements.room = scarce
    try:
        return problem.solve(dadt).phi, problem._solver.widest
    finally:
        elements.room = room


def with_places_that_leave_little(problem):
    """Columns that are solved together once places are on the device and memory is left for one column of theirs."""
    some, problem._solver.widest = Places(np.arange(5), np.arange(3)), 2
    elements.free_memory = lambda: elements.bytes_of_places(5, 3, 1)
    problem._resident._on_device(some, problem.patches)
    return problem._solver.widest, sum(array.copy_to_host().nbytes for array in problem._resident._looked_at._sums)


def main(source, out):
    make_the_simulator_safe()
    efield.fem.coarsening._COARSEST, efield.fem.ordering._GOOD_SPREAD = 12, 0.0
    given = dict(np.load(source))
    head = HeadMesh(points=given["points"], tets=given["tets"], tissue=given["tissue"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        problem = FemProblem(head, given["sigma"], tol=TOL, device="cuda")
    found = answers(problem, given["dadt"])
    found |= {"device": problem.device, "grids": problem._host.preconditioner.grids.sizes}
    # The last column was alone in its block: now beside another one.
    found["again"] = problem.solve(np.ascontiguousarray(given["dadt"][..., ::-1][..., :2])).phi
    found |= measured(problem, given)
    found["load"] = load_with_tensors(problem, given)
    found["primary"], found["unknown"] = primary(problem, given)
    found["stored"] = stored(given)
    problem._host.patience = 2
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found["hard"] = problem.solve(given["dadt"][..., 0]).phi
    found["said"] = [str(one.message) for one in caught]
    problem.tol = 1e-1
    found["scarce"], found["widest"] = with_little_memory(problem, given["dadt"][..., :2])
    found["beside_places"], found["bytes"] = with_places_that_leave_little(problem)
    np.savez(out, **found)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
