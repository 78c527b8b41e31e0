"""Many placements: grids of them, one answer of three engines, and a table."""
