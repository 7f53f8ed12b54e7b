"""The public port of a supervised bloop, open before its servers start and while they are restarted."""

from __future__ import annotations

import errno
import socket

from bloop.base.config import Settings
from bloop.base.errors import ConfigError

BACKLOG = 2048  # connections the kernel holds while no process accepts
_PORT_ERRORS = (errno.EADDRINUSE, errno.EACCES)


def open_port(settings: Settings) -> socket.socket:
    """The listening socket. Raises ConfigError naming the setting that prevents it."""
    host, port = settings.server.host, settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        key = "server.port" if error.errno in _PORT_ERRORS else "server.host"
        raise ConfigError(key, f"cannot listen on {host} port {port}: {error.strerror or error}") from error
    return listener


def local_url(settings: Settings) -> str:
    """The URL of the port from this machine."""
    host = settings.server.host
    if host in ("0.0.0.0", "::", ""):  # noqa: S104
        host = "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.server.port}"
