"""Nodes and elements of Gmsh format 4.1 (Gmsh reference manual, "MSH file format").

Here tags belong to entities: an element's physical group is the first of its entity. A partitioned mesh has entities
of its own, each of which says of which original entity it is a part; elements get the tags of that one.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from efield.io.bounded.cursor import Cursor, numbers
from efield.io.meshes.gmsh_elements import Elements, check_kind

#: Dimension and number.
Entity = tuple[int, int]


@dataclass
class Entities:
    """What a file says of its entities: the first physical group of those that have one, and the wholes of parts."""

    physical: dict[Entity, int] = field(default_factory=dict)
    #: Of a part: number of its whole, and its own first physical group (0 for none). Numbers may be those of wholes.
    parts: dict[Entity, tuple[int, int]] = field(default_factory=dict)

    def tags(self, entity: Entity) -> tuple[int, int]:
        """Physical group (0 for none) and number of the entity, or of the whole that it is a part of."""
        whole, group = self.parts.get(entity, (entity[1], 0))
        return group or self.physical.get((entity[0], whole), 0), whole


@dataclass
class _Numbers:
    """The numbers of one section, binary or text, taken a few at a time."""

    cursor: Cursor
    what: str
    text: NDArray[np.float64] | None
    place: int = 0

    @classmethod
    def of(cls, cursor: Cursor, name: str, binary: bool) -> "_Numbers":
        """The section that ends with ``$End<name>``."""
        what = f"section ${name}"
        if binary:
            return cls(cursor, what, None)
        text = numbers(cursor.text_until(f"$End{name}".encode(), what), np.float64)
        if text is None:
            raise cursor.error(f"{what} must hold numbers only; instead it is damaged")
        return cls(cursor, what, text)

    def take(self, dtype: str, count: int) -> NDArray[Any]:
        """The next `count` numbers; in text files all are read as doubles, exact for integers up to 2^53."""
        if self.text is None:
            return self.cursor.array(dtype, count, self.what)
        if count < 0 or self.place + count > len(self.text):
            raise self.cursor.truncated(self.what)
        self.place += count
        taken = self.text[self.place - count : self.place]
        if dtype == "<f8":
            return taken
        if not (np.abs(taken) < 2**53).all():
            raise self.cursor.error(f"{self.what} must hold integers where they belong; instead it is damaged")
        return taken.astype(np.int64)

    def integers(self, dtype: str, count: int) -> list[int]:
        """The same as plain integers."""
        return [int(v) for v in self.take(dtype, count)]

    def size(self) -> int:
        """One count."""
        return self.integers("<u8", 1)[0]

    def end(self, name: str) -> None:
        """Check that the section ends here."""
        if self.text is None:
            self.cursor.expect_end(f"$End{name}".encode(), self.what)
        elif self.place != len(self.text):
            raise self.cursor.error(f"{self.what} must end after its last entry; instead a count is wrong")


def read_entities(cursor: Cursor, binary: bool, entities: Entities) -> None:
    """Keep what an ``$Entities`` section says."""
    section = _Numbers.of(cursor, "Entities", binary)
    for dimension, count in enumerate(section.integers("<u8", 4)):
        for _ in range(count):
            number = section.integers("<i4", 1)[0]
            entities.physical[dimension, number] = _group(section, dimension)
    section.end("Entities")


def read_partitioned(cursor: Cursor, binary: bool, entities: Entities) -> None:
    """Keep what a ``$PartitionedEntities`` section says."""
    section = _Numbers.of(cursor, "PartitionedEntities", binary)
    section.size()
    section.take("<i4", 2 * section.size())  # ghost entities and their partitions
    for dimension, count in enumerate(section.integers("<u8", 4)):
        for _ in range(count):
            number, of_dimension, whole = section.integers("<i4", 3)
            section.take("<i4", section.size())
            group = _group(section, dimension)
            # A face between partitions is a part of a volume; that says nothing of the face.
            entities.parts[dimension, number] = (whole if of_dimension == dimension else number, group)
    section.end("PartitionedEntities")


def _group(section: _Numbers, dimension: int) -> int:
    """Pass over where an entity is and what bounds it; its first physical group, 0 for none."""
    section.take("<f8", 6 if dimension else 3)
    groups = section.take("<i4", section.size())
    if dimension:
        section.take("<i4", section.size())
    return int(groups[0]) if len(groups) else 0


def read_nodes(cursor: Cursor, binary: bool) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """(n,) node ids and (n, 3) coordinates of a ``$Nodes`` section."""
    section = _Numbers.of(cursor, "Nodes", binary)
    blocks, total, _, _ = section.integers("<u8", 4)
    ids, points = [np.empty(0, np.int64)], [np.empty((0, 3))]
    for _ in range(blocks):
        dimension, _, parametric = section.integers("<i4", 3)
        count = section.size()
        width = 3 + (dimension if parametric else 0)
        if not 3 <= width <= 6:
            raise cursor.error(f"node block must have dimension 0 to 3; instead received {dimension}; damaged file")
        ids.append(section.take("<u8", count))
        points.append(section.take("<f8", count * width).reshape(count, width)[:, :3])
    section.end("Nodes")
    all_ids = np.concatenate(ids, dtype=np.int64, casting="unsafe")
    if len(all_ids) != total:
        raise cursor.error(f"the blocks of $Nodes must hold {total} nodes; instead they hold {len(all_ids)}")
    return all_ids, np.concatenate(points)


def read_elements(cursor: Cursor, binary: bool, entities: Entities) -> Elements:
    """All elements of an ``$Elements`` section, with physical group (0 for none) and entity as their two tags."""
    section = _Numbers.of(cursor, "Elements", binary)
    blocks, total, _, _ = section.integers("<u8", 4)
    elements, done = Elements(cursor), 0
    for _ in range(blocks):
        dimension, entity, kind = section.integers("<i4", 3)
        count, width = section.size(), 1 + check_kind(cursor, kind)
        rows = section.take("<u8", count * width).reshape(count, width).astype(np.int64, copy=False)
        tags = np.empty((count, 2), np.int64)
        tags[:] = entities.tags((dimension, entity))
        elements.add(kind, 2, np.hstack([rows[:, :1], tags, rows[:, 1:]]))
        done += count
    section.end("Elements")
    if done != total:
        raise cursor.error(f"the blocks of $Elements must hold {total} elements; instead they hold {done}")
    return elements
