"""CRC-64 of ECMA-182, which ends the header of every OpenIGTLink message."""

import numpy as np
from numba import njit

#: The polynomial of ECMA-182 without its leading term, most significant bit first.
_POLYNOMIAL = 0x42F0E1EBA9EA3693


def _remainders():
    """(256,) uint64 remainders of each byte, shifted to the top of the register."""
    found = []
    for byte in range(256):
        value = byte << 56
        for _ in range(8):
            value = ((value << 1) ^ (_POLYNOMIAL if value >> 63 else 0)) & 0xFFFFFFFFFFFFFFFF
        found.append(value)
    return np.array(found, dtype=np.uint64)


_TABLE = _remainders()


@njit(cache=True, nogil=True)
def crc64(data):
    """Remainder of data (n,) uint8; the register starts at zero and is not inverted."""
    value = np.uint64(0)
    for byte in data:
        value = (value << np.uint64(8)) ^ _TABLE[(value >> np.uint64(56)) ^ np.uint64(byte)]
    return value
