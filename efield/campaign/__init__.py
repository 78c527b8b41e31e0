"""Studies: a declarative plan of sweeps, run on one machine or a cluster into a store that survives being killed."""
