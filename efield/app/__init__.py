"""The command line."""

import atexit
import gc

# Python looks for cycles whenever 700 objects are new; those of libraries and kernels that are being loaded stay.
gc.set_threshold(100_000, 20, 20)
# When it ends it looks through all there are once more: 0.7 s after a simulation.
atexit.register(gc.freeze)
