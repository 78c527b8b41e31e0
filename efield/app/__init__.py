"""The command line."""

import gc

# Python looks for cycles whenever 700 objects are new; those of libraries and kernels that are being loaded stay.
gc.set_threshold(100_000, 20, 20)
