"""Make the five-tissue label volume of the default head (1 mm, MNI152, RAS).

Usage: ``python meshes/make_labels.py OUT.nii.gz``, with ``pip install ".[meshes]"``; one to two minutes, 1.1 GB.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from labels_brain import merge_specks, segment_brain
from labels_layers import mirrored_mean, wrap_brain
from labels_report import measure_head, report_lines
from labels_sources import grid_affine, grid_coordinates, load_fsaverage_mask, load_template_maps


def make_labels(progress: Callable[[str], None] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Label volume of the default head and its affine.

    Parameters
    ----------
    progress
        Called with one line of text before each step; silent by default.

    Returns
    -------
    labels : (211, 256, 229) uint8
        0 air, 1 white matter, 2 gray matter, 3 cerebrospinal fluid, 4 skull, 5 scalp.
    affine : (4, 4) float64
        Voxel indices to MNI152 millimeters (RAS).
    """
    say = progress or (lambda line: None)
    coordinates = grid_coordinates()
    say("reading the ICBM152 2009a maps and the fsaverage surfaces")
    maps = load_template_maps()
    reference = load_fsaverage_mask("fsaverage-inner_skull-bem.fif")
    head = load_fsaverage_mask("fsaverage-head.fif", subdivisions=2)
    say("segmenting white and gray matter, opening the sulci")
    brain = segment_brain(maps.gray, maps.white, maps.t1, coordinates)
    say("wrapping the brain in fluid, skull and scalp")
    # The brain template is symmetric; without mirroring, the same coil would act differently left and right.
    labels = wrap_brain(brain, mirrored_mean(reference), mirrored_mean(head), coordinates[2])
    say("merging specks into their surroundings")
    return merge_specks(labels), grid_affine()


def save_labels(path: Path, labels: np.ndarray, affine: np.ndarray) -> None:
    """Write a label volume as NIfTI; the file appears whole or not at all."""
    import nibabel

    image = nibabel.Nifti1Image(labels, affine)
    image.set_sform(affine, code="mni")
    image.set_qform(affine, code="mni")
    image.header.set_xyzt_units("mm")
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    nibabel.save(image, partial)
    partial.replace(path)


def main() -> None:
    """Command line: write the label volume and print what was measured on it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="file to write, ending in .nii.gz")
    out = parser.parse_args().out
    start = time.perf_counter()

    def say(line: str) -> None:
        print(f"[{time.perf_counter() - start:5.1f} s] {line}", flush=True)

    labels, affine = make_labels(say)
    save_labels(out, labels, affine)
    say(f"wrote {out}")
    print("\n".join(report_lines(measure_head(labels, affine))))


if __name__ == "__main__":
    main()
