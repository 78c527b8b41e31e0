"""Many placements: reduced basis, reciprocity, sweeps."""
