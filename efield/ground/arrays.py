"""Types of arrays that many functions take and give."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
