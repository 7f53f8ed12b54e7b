"""Clients on the machine's network: they send until standard input ends, and then print what they were told.

`python -m tests.systemd.senders PORT SECRET CLIENTS PREFIX`
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import NamedTuple, cast

from tests.acceptance.harness import BloopServer
from tests.acceptance.load import Client


class Address(NamedTuple):
    """All that a client wants to know of a server."""

    port: int
    secret: str


def main(port: str, secret: str, clients: str, prefix: str) -> None:
    server = cast(BloopServer, Address(int(port), secret))
    senders = [Client(server, f"{prefix}-{number}") for number in range(int(clients))]
    for sender in senders:
        sender.start()
    print("sending", flush=True)
    sys.stdin.read()
    told = [asdict(sender.stop()) for sender in senders]
    refusals = [refusal for sender in senders for refusal in sender.refusals]
    everything = {name: [one for each in told for one in each[name]] for name in told[0]}
    print(json.dumps(everything | {"refusals": refusals, "no_port": sum(sender.no_port for sender in senders)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
