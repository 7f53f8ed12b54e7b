"""Every bound of the HTTP workers, in one place: how much one peer may make a worker hold, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * 1024

RECV_BYTES = 64 * KIB  # one read from a socket; at most so much arrives beyond the request being read


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds per request and connection unless the name says otherwise; times are in seconds, 0 is no bound where a
    comment says so."""

    request_line_bytes_max: int = 8190
    header_bytes_max: int = 16 * KIB  # request line, headers and the empty line together
    header_count_max: int = 100
    body_bytes_max: int = 4 * MIB  # as sent; the app bounds the inflated size
    response_bytes_max: int = 16 * MIB
    held_bytes_max: int = 32 * MIB  # per worker: unfinished heads, unfinished bodies and unread answers together
    connections_max: int = 10_000  # per worker
    pipeline_max: int = 16  # requests answered on one connection before other connections get their turn

    # Of one client address (shares.py). Without them a single client can use up `connections_max` or `held_bytes_max`,
    # and everybody else is refused. 0 = no bound.
    address_connections_max: int = 0
    address_held_bytes_max: int = 0

    header_timeout_s: float = 10.0  # from the first byte (or the connect) to the end of the headers
    body_timeout_s: float = 30.0  # from the end of the headers to the end of the body; more with `bytes_per_s_min`
    write_timeout_s: float = 30.0  # for a peer to take an answer; more with `bytes_per_s_min`
    keepalive_timeout_s: float = 75.0  # between requests
    linger_timeout_s: float = 2.0  # how long a refused peer may keep sending, so that it can read the refusal

    # Each so many bytes that a peer sends or takes give it one more second; it is never allowed more than the timeout
    # ahead. So a slow honest peer finishes, and one that stalls is gone after the timeout. 0 = the timeouts are fixed.
    bytes_per_s_min: int = 0
    # From the end of the headers to the last byte of the answer, whatever the peer and the app do; uploads count from
    # the end of their body. 0 = the other timeouts are enough, as where the app is called inline.
    request_timeout_s: float = 0.0

    memory_body_bytes_max: int = 256 * KIB  # a longer body goes to an unnamed file, where the worker has a folder
    spooled_bytes_max: int = 256 * MIB  # per worker, in such files
    send_buffer_bytes: int = 0  # of the kernel, for one socket; 0 = as much as it likes, up to some megabytes

    def __post_init__(self) -> None:
        # A handed-over request must fit one message of the hand-off socket (handoff.MESSAGE_BYTES_MAX).
        assert 0 < self.request_line_bytes_max < self.header_bytes_max <= 64 * KIB
        assert 0 < self.body_bytes_max <= self.held_bytes_max
        assert self.address_held_bytes_max <= self.held_bytes_max
        assert self.pipeline_max > 0
        assert self.connections_max > 0
