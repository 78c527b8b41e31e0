"""What `efield coils info` says about a coil, and what `efield coils convert` writes."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.table import Table

from efield.coils.equivalent import as_dipoles, net_moment, potential_error
from efield.coils.inductance import inductance
from efield.coils.model import Coil, SampledField, Segments
from efield.coils.polarity import induced_direction, induced_words
from efield.ground.errors import InputError
from efield.io.coils.ccd import write_ccd
from efield.io.coils.grid import sampled, write_samples
from efield.io.load import load_coil
from efield.targeting.depth_spread import depth_spread

#: What a sampled field covers, in coil coordinates (mm): the default head with a flat coil over M1 needs 150 to each
#: side and 223 in front.
_BOX_MM: Final = ((-180.0, -180.0, 0.0), (180.0, 180.0, 250.0))
_BOX_WORDS: Final = "360 x 360 x 250 mm in front of the casing"

#: A grid that is wrong by more than this of the largest A (at 20 mm) is no coil any more.
_LARGEST_ERROR: Final = 0.2


def coil_facts(coil: Coil) -> dict[str, Any]:
    """Everything known of a coil, ready for `json.dump`; None where it cannot be had."""
    moment, henry = net_moment(coil), inductance(coil)
    facts = {
        "name": coil.name,
        "aliases": list(coil.aliases),
        "sources": coil.counts,
        "induced_direction": induced_direction(coil),
        "induced_words": induced_words(coil) or None,
        "casing": _casing(coil),
        "max_didt": coil.max_didt,
        "net_moment_am2": None if moment is None else [round(float(m), 12) + 0.0 for m in moment],
        "inductance_henry": None if henry is None else henry.henry,
        "wire_thickness_assumed": None if henry is None else henry.thickness_assumed,
    }
    try:
        merit = depth_spread(coil)
        facts |= {"depth_mm": merit.depth_mm, "spread_mm2": merit.spread_mm2, "no_depth_because": None}
    except InputError as error:
        facts |= {"depth_mm": None, "spread_mm2": None, "no_depth_because": str(error)}
    known = {"citation": coil.citation, "uncertainty": coil.uncertainty or None}
    return facts | known | {"assumptions": list(coil.assumptions)}


def facts_table(facts: dict[str, Any]) -> Table:
    """`coil_facts` for people."""
    table = Table(title=facts["name"], show_header=False)
    didt, henry, moment = facts["max_didt"], facts["inductance_henry"], facts["net_moment_am2"]
    wire = " (wire taken to be round, 2 mm thick)" if facts["wire_thickness_assumed"] else ""
    merit = f"no: {facts['no_depth_because']}"
    if facts["depth_mm"] is not None:
        sizes = f"{facts['depth_mm'] / 10:.2f} cm, {facts['spread_mm2'] / 100:.1f} cm2"
        merit = f"{sizes} (casing 1 mm above a spherical head of 85 mm)"
    rows = {
        "also": ", ".join(facts["aliases"]),
        "field sources": ", ".join(f"{count} {kind}" for kind, count in facts["sources"].items()),
        "a rising current induces": facts["induced_words"] or "around the center, or in no one direction",
        "winding to casing": f"{facts['casing']['winding_to_face_mm']:g} mm",
        "casing": facts["casing"]["words"],
        "max dI/dt at 100 %": "unknown" if didt is None else f"{didt / 1e6:.2f} A/us",
        "net magnetic moment": "unknown" if moment is None else "({:.4g}, {:.4g}, {:.4g}) A m2 per A".format(*moment),
        "inductance": "unknown: not made of closed wires" if henry is None else f"{henry * 1e6:.2f} uH{wire}",
        "depth d1/2, spread S1/2": merit,
        "uncertainty": facts["uncertainty"] or "not known: compare with a measured model",
        "source": facts["citation"],
    }
    for name, value in rows.items():
        table.add_row(name, value)
    for assumption in facts["assumptions"]:
        table.add_row("assumed", assumption)
    return table


def _casing(coil: Coil) -> dict[str, Any]:
    return {
        "known": coil.shape_from in ("casing", "points"),
        "from": coil.shape_from,
        "words": casing_words(coil),
        "triangles": None if coil.casing is None else len(coil.casing),
        "winding_to_face_mm": coil.casing_mm,
    }


def casing_words(coil: Coil) -> str:
    """What is kept away from the head, for people."""
    return {
        "casing": f"of {0 if coil.casing is None else len(coil.casing)} triangles",
        "points": "known by points on its face toward the head",
        "sources": "unknown: the wires or dipoles themselves are kept clear of the head",
        "nothing": "unknown: a flat plate of 170 x 90 mm is kept clear of the head",
    }[coil.shape_from]


def convert_file(source: str, out: Path, spacing_mm: float | None) -> list[str]:
    """Write a coil, by name or from a file, in the format that the file's name asks for; returns what is lost.

    From ``.tcd`` to ``.tcd`` all is kept: parts that move, stimulators and their pulses.

    Raises
    ------
    InputError
        If the name ends otherwise, the format cannot hold the coil, or a spacing is given for a format without samples.
    """
    if not out.name.lower().endswith((".ccd", ".tcd", ".nii", ".nii.gz")):
        raise InputError(f"OUT must end in .ccd, .tcd, .nii or .nii.gz; instead received {out.name!r}")
    if spacing_mm is not None and out.suffix.lower() in (".ccd", ".tcd"):
        raise InputError(f"--spacing is of the samples of a .nii file; instead {out.name} has none: leave it out")
    if source.lower().endswith(".tcd") and out.suffix.lower() == ".tcd":
        from efield.io.coils.tcd import read_tcd_file, write_tcd

        write_tcd(out, read_tcd_file(source))
        return []
    return convert_coil(load_coil(source), out, 4.0 if spacing_mm is None else spacing_mm)


def convert_coil(coil: Coil, out: Path, spacing_mm: float) -> list[str]:
    """Write a coil in the format that the file's name asks for; returns what is lost, in words."""
    name = out.name.lower()
    suffix = ".nii" if name.endswith((".nii", ".nii.gz")) else out.suffix.lower()
    lost = _lost(coil, suffix)
    if suffix == ".nii":
        return _write_grid(coil, out, spacing_mm) + lost
    notes, written = [], coil
    if _needs_dipoles(coil, ccd=suffix == ".ccd"):
        written = as_dipoles(coil)
        error = potential_error(written, coil)
        notes.append(f"wires replaced by {len(written)} dipoles: A differs by {error:.1e} of its maximum at 20 mm")
    if suffix == ".ccd":
        write_ccd(out, written)
    else:
        from efield.io.coils.tcd import write_tcd

        write_tcd(out, written)
    return notes + lost


def _lost(coil: Coil, suffix: str) -> list[str]:
    """What a format has no place for, of what the coil has."""
    notes = []
    if coil.shape_from == "points" or (coil.shape_from == "casing" and suffix != ".tcd"):
        # Placement by distance stays the same: it counts from the origin, which lies on the casing's face.
        kept = "a flat plate" if suffix == ".nii" else "the windings alone"
        what = "the casing, known as points only," if coil.shape_from == "points" else "the casing"
        notes.append(f"{what} has no place in a {suffix} file: with it {kept} will be kept clear of the head")
    if suffix == ".nii" and coil.max_didt is not None:
        notes.append("a .nii file has no place for the largest dI/dt")
    moved = [text for text in coil.assumptions if text.startswith("setting ")]
    return notes + ([f"the coil no longer deforms: {'; '.join(moved)}"] if moved else [])


def _needs_dipoles(coil: Coil, *, ccd: bool) -> bool:
    wires = [source for source in coil.sources if isinstance(source, Segments)]
    return bool(wires) and (ccd or any((np.rint(wire.turns) != wire.turns).any() for wire in wires))


def _write_grid(coil: Coil, out: Path, spacing_mm: float) -> list[str]:
    first = coil.sources[0]
    if len(coil.sources) == 1 and isinstance(first, SampledField):
        write_samples(out, first)
        return []
    samples = sampled(coil, bounds=_BOX_MM, spacing_mm=spacing_mm)
    error = potential_error(Coil(name=coil.name, sources=(samples,)), coil)
    if not error < _LARGEST_ERROR:
        raise InputError(
            f"--spacing must be fine enough for the coil; instead with {spacing_mm:g} mm A is wrong by {error:.1g} of "
            f"its maximum at 20 mm: give less, such as {spacing_mm / 4:.3g}"
        )
    write_samples(out, samples)
    stated = f"between samples {spacing_mm:g} mm apart A differs by up to {error:.1e} of its maximum at 20 mm"
    return [stated, f"the field ends at the file's box, {_BOX_WORDS}"]
