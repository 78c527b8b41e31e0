"""Poses that other programs send over TCP: what Brainsight and Localite's TMS Navigator say, and how they are asked.

Brainsight: written after its packets as a recorder of 2026 reads them (the vendor's protocol document was not read):
JSON, each ended by the byte 0x1E. Localite: after a public client of 2021 of TMS Navigator 4.0 beta (newer versions
unverified): JSON objects one behind the other, each with one key.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from efield.ground.errors import InputError
from efield.io.poses.axes import from_theirs

FloatArray = NDArray[np.float64]
Found = tuple[FloatArray, str, float]

#: A message may be as long as this (bytes); what is longer is no message of theirs.
_LONGEST: Final = 1 << 16

_SEPARATOR: Final = b"\x1e"


class Dialect(Protocol):
    """How a program is asked, and what it says."""

    #: Seconds between questions; 0 asks once.
    every_s: float

    def question(self) -> bytes:
        """What is sent on connecting, and then every so often."""

    def feed(self, data: bytes) -> Iterator[Found]:
        """Matrix (4, 4) in our axes, name of the coil and time stamp (s, 0 if unknown) of each pose in these bytes.

        Raises
        ------
        InputError
            If they are none of this program's messages.
        """


@dataclass
class Brainsight:
    """The stream ``session-polaris-update``: where each tracked tool is.

    Parameters
    ----------
    frame : str, optional
        Axes of the coordinates, where Brainsight does not send those of a NIfTI image.
    axes : str
        Of the coil.
    tool : str
        Serial number of the tracked tool; all of them if it is empty.
    """

    frame: str | None = None
    axes: str = "brainsight"
    tool: str = ""
    every_s: float = 0.0
    _waiting: bytearray = field(default_factory=bytearray)

    def question(self) -> bytes:
        """Ask for the stream."""
        ask = {
            "packet-name": "request:set-stream-option",
            "packet-uuid": "00000000-0000-4000-8000-000000000001",
            "stream-name": "stream:session-polaris-update",
            "stream-value": True,
        }
        return json.dumps(ask).encode() + _SEPARATOR

    def feed(self, data: bytes) -> Iterator[Found]:
        """As `Dialect.feed`."""
        self._waiting += data
        *packets, rest = self._waiting.split(_SEPARATOR)
        self._waiting = rest
        if len(rest) > _LONGEST:
            raise InputError(f"a packet of Brainsight must end with the byte 0x1E; instead {len(rest)} bytes came")
        for packet in packets:
            content = _document(bytes(packet), "Brainsight")
            if content.get("packet-name") == "stream:session-polaris-update":
                yield from self._pose(content)

    def _pose(self, packet: dict[str, Any]) -> Iterator[Found]:
        name = str(packet.get("serial-number", "tool"))[:40]
        numbers = packet.get("tool-in-desired")
        if numbers is None or (self.tool and name != self.tool):
            return  # not seen by the camera, or another tool
        system = str(packet.get("coordinate-system", ""))[:40]
        if self.frame is None and not system.startswith("NIfTI:"):
            raise InputError(
                f"Brainsight must send coordinates of the head's NIfTI image; instead it sends {system!r}, whose "
                "origin the image does not tell: choose another in Brainsight, or say what its axes are (--frame RAS) "
                "if you know that its origin is the image's"
            )
        matrix = _sixteen(numbers)
        yield from_theirs(matrix[None], self.axes, self.frame or "RAS")[0], name, 0.0


@dataclass
class Localite:
    """The position of one coil, asked for again and again.

    Parameters
    ----------
    frame : str
        Axes of the coordinates (not stated in the stream: unverified).
    axes : str
        Of the coil.
    coil : int
        0 or 1.
    """

    frame: str = "RAS"
    axes: str = "localite"
    coil: int = 0
    every_s: float = 0.05
    _waiting: str = ""

    def question(self) -> bytes:
        """Ask where the coil is."""
        return json.dumps({"get": f"coil_{self.coil}_position"}).encode()

    def feed(self, data: bytes) -> Iterator[Found]:
        """As `Dialect.feed`."""
        self._waiting = (self._waiting + data.decode("ascii", "replace")).lstrip()
        while self._waiting:
            end = _end_of_object(self._waiting)
            if not end:
                if len(self._waiting) > _LONGEST:
                    raise InputError(f"a message of Localite must be short; instead {len(self._waiting)} bytes came")
                return
            content = _document(self._waiting[:end].encode(), "Localite")
            self._waiting = self._waiting[end:].lstrip()
            position = content.get(f"coil_{self.coil}_position")
            # "None" stands where the camera does not see the coil.
            if isinstance(position, dict):
                yield from self._pose(position)

    def _pose(self, position: dict[str, Any]) -> Iterator[Found]:
        try:
            w, x, y, z = (float(position[key]) for key in ("q0", "qx", "qy", "qz"))
            shift = [float(position[key]) for key in "xyz"]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"a position of Localite must have q0, qx, qy, qz, x, y, z; instead: {error!r}") from error
        matrix = np.eye(4)
        # Not divided by its length: what is no unit quaternion is no rotation, and refused as such.
        matrix[:3, :3] = [
            [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
        ]
        matrix[:3, 3] = shift
        if np.array_equal(matrix, np.eye(4)):
            return  # not tracked
        yield from_theirs(matrix[None], self.axes, self.frame)[0], f"coil_{self.coil}", 0.0


def _end_of_object(text: str) -> int:
    """Where the first JSON object ends; 0 if it does not yet.

    Raises
    ------
    InputError
        If none begins here.
    """
    if text[0] != "{":
        raise InputError(f"a message of Localite must be a JSON object; instead it begins with {text[:20]!r}")
    depth, quoted, escaped = 0, False, False
    for number, letter in enumerate(text):
        if quoted:
            quoted, escaped = escaped or letter != '"', letter == "\\" and not escaped
        elif letter == '"':
            quoted = True
        elif letter in "{}":
            depth += 1 if letter == "{" else -1
            if depth == 0:
                return number + 1
    return 0


def _document(data: bytes, program: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"a message of {program} must be JSON; instead: {error}") from error
    return found if isinstance(found, dict) else {}


def _sixteen(numbers: Any) -> FloatArray:
    """(4, 4) of 16 numbers, rows first."""
    try:
        return np.array(numbers, np.float64).reshape(4, 4)
    except (TypeError, ValueError) as error:
        raise InputError(f"a pose must have 16 numbers, rows first; instead: {error}") from error
