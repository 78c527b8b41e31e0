"""Sockets that listen, and sockets that do not wait."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from efield.ground.errors import InputError

#: What the system keeps for a client that does not read (bytes): answers in there are old before they are read.
_SEND_BYTES: Final = 1 << 17


async def listening(protocol: Callable[[], asyncio.BaseProtocol], host: str, port: int, what: str) -> asyncio.Server:
    """A server on an address.

    Raises
    ------
    InputError
        If it is taken, not allowed, or none of this machine.
    """
    try:
        return await asyncio.get_running_loop().create_server(protocol, host, port)
    except (OSError, OverflowError) as error:
        raise not_listening(what, host, port, error) from error


def check_free(host: str, port: int | None, what: str) -> None:
    """Refuse an address that cannot be listened on now, before work is done that would be in vain.

    Raises
    ------
    InputError
        As `listening`.
    """
    if not port:  # none, or any that is free
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except (OSError, OverflowError) as error:
        raise not_listening(what, host, port, error) from error


def not_listening(what: str, host: str, port: int, error: Exception) -> InputError:
    """The error for an address that cannot be listened on."""
    reason = getattr(error, "strerror", None) or str(error)
    return InputError(
        f"{what} must listen on a free port of this machine; instead {host} port {port}: {reason}: another server may "
        "run there; give another port"
    )


def quick(transport: asyncio.Transport) -> None:
    """Send small messages at once, and keep little for a peer that does not read."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
