"""Small answers to the names that pages, examples and notebooks use: nobody waits for the default head in a test.

Notebooks import it in a process of their own.
"""

from dataclasses import replace
from functools import cache

import numpy as np

import efield as ef
from efield.basis.reduced_basis import ReducedBasis
from efield.head.mni import AffineMap
from efield.head.spheres import sphere_head
from efield.io import load
from efield.targeting import field
from efield.targeting.validation import validation_coil
from efield.viz import films, render, three_sides, voxels
from efield.viz.picture import field_figure
from efield.viz.saving import save_scene
from efield.viz.sheet import sheet_figure

#: Options that make a basis of a few solves, whatever a page asks for.
BASIS = {
    "radius_mm": 8.0,
    "tilt_deg": 4.0,
    "distance_mm": (3.0, 6.0),
    "region_radius_mm": 20.0,
    "max_solves": 64,
    "tol": 0.1,
}

#: Of conductivities, where nobody says how many.
SAMPLES = 1 << 12


def named_heads():
    """Spheres, one with a map from MNI coordinates, which the default head has too."""
    layers = sphere_head((73.0, 77.0, 80.0, 87.0, 94.0), (1, 2, 3, 4, 5), edge_mm=16.0)
    mapped = ef.HeadMesh(layers.points, layers.tets, layers.tissue, mni=AffineMap(np.eye(4), "none"))
    return {"mni152": mapped, "sphere": sphere_head((70.0, 73.0, 79.0, 85.0), (2, 3, 4, 5), edge_mm=12.0)}


def coarse_sources():
    """Sources of a figure-8 coil: twelve dipoles, nine turns of 36 mm radius a wing."""
    across, around = np.meshgrid([-43.5, 43.5], np.linspace(0, 2 * np.pi, 6, endpoint=False), indexing="ij")
    places = np.stack([across + 20 * np.cos(around), 20 * np.sin(around), np.full_like(across, -7.0)], axis=-1)
    moments = np.stack([0 * across, 0 * across, -np.sign(across) * 9 * np.pi * 0.036**2 / 6], axis=-1)
    return ef.Coil.from_dipoles(places.reshape(-1, 3), moments.reshape(-1, 3)).sources


def light_coil():
    """`validation_coil` with a dipole for each 6 x 6 mm of its wings: enough of them to be worth storing, no more."""
    x, y = (axis.ravel() for axis in np.meshgrid(*[np.arange(-42.0, 43.0, 6.0)] * 2))
    turns = 9 * np.clip((43.5 - np.hypot(x, y)) / 15.5, 0, 1)
    places = np.concatenate([np.stack([x + wing * 43.5, y, 0 * x - 7.0], axis=1) for wing in (-1, 1)])
    moments = np.concatenate([wing * 36e-6 * turns[:, None] * [0.0, 0.0, 1.0] for wing in (-1, 1)])
    used = moments[:, 2] != 0
    return replace(validation_coil(), sources=ef.Coil.from_dipoles(places[used], moments[used]).sources)


@cache
def named_coils():
    """Figure-8 coils of few dipoles: name, a fifth of the casing's points and largest dI/dt kept."""
    names = ("magstim-70mm-figure8", "d70", "magstim-double-cone", "magventure-c-b60")
    coils = {name: load.load_coil(name) for name in names}
    few = {"sources": coarse_sources(), "windings": ()}
    return {name: replace(coil, casing_points_mm=coil.casing_points_mm[::5], **few) for name, coil in coils.items()}


def replacements(heads, coils):
    """(object, attribute, what takes its place)."""
    head_of, coil_of, build = load.load_head, load.load_coil, ReducedBasis.build

    def load_head(name, **options):
        return heads[name] if name in heads else head_of(name, **options)

    def load_coil(name, **options):
        return coils[name] if name in coils else coil_of(name, **options)

    def small_build(*args, **options):
        return build(*args, **{**options, **BASIS})

    usual = ef.uncertainty.__kwdefaults__
    few_samples = (ef.uncertainty, "__kwdefaults__", {**usual, "samples": min(usual["samples"], SAMPLES)})
    names = (load, "load_head", load_head), (load, "load_coil", load_coil), (ReducedBasis, "build", small_build)
    return *names, few_samples


def draw_small(patch):
    """Few pixels and voxels where nobody asks for a size; `patch` is a `pytest.MonkeyPatch`."""
    patch.setattr(render, "_OVERSAMPLING", 1)
    patch.setattr(films, "_DPI", 70.0)
    patch.setattr(voxels, "_SPACINGS_MM", (4.0,))
    patch.setattr(field, "_VOXEL_MM", 4.0)
    patch.setattr(three_sides, "_DPI", 100.0)
    for draw in (field_figure, save_scene, sheet_figure):
        patch.setitem(draw.__kwdefaults__, "dpi", 100.0)
