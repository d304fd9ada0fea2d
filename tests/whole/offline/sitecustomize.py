"""Loaded by every Python whose path begins here: no connection and no name look-up but loopback's.

Each attempt is written to the file $ATTEMPTS, so that a swallowed error shows all the same.
"""

import os
import socket
from typing import Any

LOCAL = {"localhost", "127.0.0.1", "::1", "", None}

_connect, _connect_ex = socket.socket.connect, socket.socket.connect_ex
_getaddrinfo = socket.getaddrinfo


def _refuse(host: object) -> None:
    if isinstance(host, bytes):
        host = host.decode()
    if host in LOCAL:
        return
    with open(os.environ["ATTEMPTS"], "a") as file:
        file.write(f"{host}\n")
    raise OSError(f"this test has no network: {host}")


def _host(one: socket.socket, address: Any) -> object:
    return "localhost" if one.family == socket.AF_UNIX else address[0]


def connect(self: socket.socket, address: Any) -> None:
    """Connect to loopback only."""
    _refuse(_host(self, address))
    _connect(self, address)


def connect_ex(self: socket.socket, address: Any) -> int:
    """Connect to loopback only."""
    _refuse(_host(self, address))
    return _connect_ex(self, address)


def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
    """Look up loopback only."""
    _refuse(host)
    return _getaddrinfo(host, *args, **kwargs)


socket.socket.connect = connect  # type: ignore[method-assign]
socket.socket.connect_ex = connect_ex  # type: ignore[method-assign]
socket.getaddrinfo = getaddrinfo
