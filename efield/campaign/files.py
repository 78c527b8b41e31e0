"""What the files of a study's store are called."""

from typing import Final

#: What is computed: the study, hashes of heads and coils.
NOTE: Final = "study.json"

#: The results (Zarr 3).
ZARR: Final = "sweep.zarr"

#: One marker per finished chunk, with the SHA-256 of its files; written last.
MARKERS: Final = "chunks"

#: Reduced bases, a folder for each cell.
BASES: Final = "bases"

#: Adjoint currents and their potentials, a folder for each head and target; they can be made again.
POTENTIALS: Final = "potentials"

#: Among them, the coils' own: labels of a head and a target have a dot between them.
COILS: Final = "coils"

#: Stores of the study before it grew, until all of their results are in the new one.
EARLIER: Final = "earlier"

#: Held while a process writes.
LOCK: Final = "lock"

#: Written when all chunks are finished; the last says what the columns are.
TABLES: Final = ("table.parquet", "table.csv", "table.json")

#: What the mesh does to the measures at the best placement of each cell.
ERRORS: Final = "mesh_errors.json"

#: Hashes of the tables.
COMPLETE: Final = "complete.json"
