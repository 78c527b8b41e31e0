"""What goes over the socket: an answer with its picture in one message, so that neither can be older than the other.

4 bytes  length of the text (little endian)
text     JSON: what is said of the pose (see `said`), with spaces up to a multiple of four
values   |E| on the live vertices, then at the pixels of the planes whose number is ``cuts``; two bytes each (little
         endian), in 65534 steps from 0 to ``high``; 65535 unknown
"""

import json
import struct
from typing import Any, Final

import numpy as np

from efield.explorer.engine import Shown
from efield.nav.engine import plain
from efield.viz import palette

_STEPS: Final = 65534
_UNKNOWN: Final = 65535


def frame_of(shown: Shown) -> bytes:
    """The message of an answer."""
    values, told = b"", said(shown)
    if shown.values is not None:
        inside = np.empty(0, np.float32) if shown.cut_values is None else shown.cut_values
        every = np.concatenate([shown.values, inside])
        known = np.isfinite(every)
        high = float(every[known].max()) if known.any() else 1.0
        told["high"] = high = high if high > 0 else 1.0
        steps = np.where(known, np.rint(np.where(known, every, 0.0) * (_STEPS / high)), _UNKNOWN)
        values = steps.astype("<u2").tobytes()
    text = json.dumps(told, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<I", len(text)) + text + values


def said(shown: Shown) -> dict[str, Any]:
    """What a page is told of an answer, with numbers that are not there as null."""
    found = shown.to_json()
    held = {} if shown.placement is None else shown.placement.to_json()
    along = {} if shown.along_mm is None else dict(zip(("u_mm", "v_mm"), shown.along_mm, strict=True))
    return found | {
        "pose": None if shown.at is None else shown.at.matrix.ravel().tolist(),
        "placement": held | along,
        "gap_mm": plain(shown.gap_mm),
        "didt": shown.didt,
        "peak": plain(shown.peak),
        "limit": palette.rounded_up(shown.peak) if np.isfinite(shown.peak) else None,
        "target": shown.target,
        "cuts": shown.cuts,
    }
