"""Label maps: which tissue tag each number of a foreign segmentation stands for."""

import csv
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import FileFormatError, InputError
from efield.io.bounded.cursor import file_bytes

_LARGEST_BYTES = 1 << 20


def read_label_map(path: str | os.PathLike[str]) -> dict[int, int]:
    """A CSV file of two columns, ``label,tag``; the tag 0 means outside the head.

    Parameters
    ----------
    path : path_like
        Text; a first line that is not numbers is a heading, ``#`` starts a comment.

    Returns
    -------
    dict of int to int
        Tissue tag of each label.

    Raises
    ------
    FileFormatError
        If the file cannot be read, or a row is not two whole numbers from 0 to 65535, or a label comes twice.
    """
    place = Path(path)
    if not place.is_file() or place.stat().st_size > _LARGEST_BYTES:
        raise FileFormatError(f"a label map must be an existing CSV file of at most 1 MB; instead received {place}")
    try:
        lines = file_bytes(place).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{place} must be text; instead it is binary") from error
    tags: dict[int, int] = {}
    for number, row in enumerate(csv.reader(line.split("#")[0] for line in lines), start=1):
        cells = [cell.strip() for cell in row if cell.strip()]
        if not cells or (number == 1 and not cells[0].isdigit()):
            continue
        if len(cells) != 2 or not all(cell.isdigit() and int(cell) <= 65535 for cell in cells):
            raise FileFormatError(f"{place}, line {number} must be label,tag (0 to 65535); instead it is {row}")
        label, tag = map(int, cells)
        if label in tags:
            raise FileFormatError(f"{place}, line {number} must not repeat a label; instead {label} comes twice")
        tags[label] = tag
    if not any(tags.values()):
        raise FileFormatError(f"{place} must map at least one label to a tissue; instead it maps none")
    return tags


def mapped(labels: NDArray[np.uint16], tags: dict[int, int]) -> NDArray[np.uint16]:
    """A label volume in tissue tags.

    Raises
    ------
    InputError
        If a label of the volume other than 0 is not in the map: nothing is left out by accident.
    """
    present = np.unique(labels)
    missing = [int(label) for label in present if label and int(label) not in tags]
    if missing:
        raise InputError(f"the label map must name every label of the volume; instead {missing[:12]} are missing")
    table = np.zeros(int(present.max()) + 1, dtype=np.uint16)
    for label, tag in tags.items():
        if label < len(table):
            table[label] = tag
    return np.asarray(table[labels])
