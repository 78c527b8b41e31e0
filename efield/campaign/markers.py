"""Markers of finished chunks: each holds the hashes of its chunk's files, and is written last."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from efield.campaign.files import MARKERS, ZARR
from efield.campaign.note import FORMAT
from efield.campaign.study import Chunk
from efield.campaign.survey import Survey
from efield.io import sealed
from efield.io.sealed import SealError


@dataclass(frozen=True)
class Markers:
    """The markers of a store.

    Parameters
    ----------
    folder : Path
        Of the store.
    facts : Survey
        What they belong to: these heads, coils and targets.
    """

    folder: Path
    facts: Survey

    @cached_property
    def _context(self) -> str:
        return json.dumps(self.facts.to_json())

    def path(self, chunk: Chunk) -> Path:
        """The file that says a chunk is finished."""
        return self.folder / MARKERS / f"{chunk.name}.json"

    def names(self) -> set[str]:
        """Names of the finished chunks."""
        markers = self.folder / MARKERS
        found = os.listdir(markers) if markers.is_dir() else []
        return {name.removesuffix(".json") for name in found if name.endswith(".json") and name[0] != "."}

    def write(self, chunk: Chunk, hashes: Mapping[str, str | None], made_of: Mapping[str, str]) -> None:
        """Say that a chunk is finished, with the hashes of its files and what it was computed with."""
        note = {"files": dict(hashes), "made_of": dict(made_of)}
        sealed.write_note(self.path(chunk), note, version=FORMAT, context=self._context, lasting=True)

    def read(self, chunk: Chunk) -> dict[str, Any] | None:
        """What `write` wrote; None if it cannot be read."""
        try:
            return sealed.read_note(self.path(chunk), version=FORMAT, context=self._context, remedy="")
        except SealError:
            return None

    def made_of(self, chunk: Chunk) -> dict[str, str] | None:
        """What a finished chunk was computed with; None if its marker cannot be read."""
        note = self.read(chunk)
        return None if note is None else note["made_of"]

    def damage(self, chunk: Chunk, files: list[str] | None = None) -> list[str]:
        """Files of a finished chunk that are not as they were written, relative to the store's folder.

        Parameters
        ----------
        chunk : Chunk
        files : list of str, optional
            What the marker must list.
        """
        note = self.read(chunk)
        if note is None or (files is not None and sorted(note["files"]) != sorted(files)):
            return [f"{MARKERS}/{chunk.name}.json"]
        hashes = note["files"].items()
        return [f"{ZARR}/{name}" for name, wanted in hashes if sealed.digest_of(self.folder / ZARR / name) != wanted]
