"""The mesher's kernels: bisection, cutting, smoothing."""
