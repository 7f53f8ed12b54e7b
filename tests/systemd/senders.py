"""Clients on the machine's network: they send until standard input ends, and then print what they were told.

`python -m tests.systemd.senders PORT SECRET CLIENTS PREFIX once|patient`
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import NamedTuple, cast

from tests.acceptance.harness import BloopServer
from tests.acceptance.load import Client

TRIES_MAX = 3


class Address(NamedTuple):
    """All that a client wants to know of a server."""

    port: int
    secret: str


class PatientClient(Client):
    """Sends what got no answer again, a few times. Its ids are then among the unanswered and the accepted."""

    def _send(self, ids: list[str]) -> None:
        for _ in range(TRIES_MAX):
            unanswered = len(self.told.unanswered)
            super()._send(ids)
            if len(self.told.unanswered) == unanswered:
                return


KINDS = {"once": Client, "patient": PatientClient}


def main(port: str, secret: str, clients: str, prefix: str, kind: str) -> None:
    server = cast(BloopServer, Address(int(port), secret))
    senders = [KINDS[kind](server, f"{prefix}-{number}") for number in range(int(clients))]
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
