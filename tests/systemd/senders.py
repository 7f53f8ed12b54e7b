"""Clients on the machine's network: they send until standard input ends, and then print the answers.

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
    """The parts of a server that a client uses."""

    port: int
    secret: str


class PatientClient(Client):
    """Repeats a request without an answer, a few times. Its ids are then among the unanswered and the accepted."""

    def _send(self, ids: list[str]) -> None:
        for _ in range(TRIES_MAX):
            unanswered = len(self.answers.unanswered)
            super()._send(ids)
            if len(self.answers.unanswered) == unanswered:
                return


KINDS = {"once": Client, "patient": PatientClient}


def main(port: str, secret: str, clients: str, prefix: str, kind: str) -> None:
    server = cast(BloopServer, Address(int(port), secret))
    senders = [KINDS[kind](server, f"{prefix}-{number}") for number in range(int(clients))]
    for sender in senders:
        sender.start()
    print("sending", flush=True)
    sys.stdin.read()
    answers = [asdict(sender.stop()) for sender in senders]
    refusals = [refusal for sender in senders for refusal in sender.refusals]
    merged = {name: [request_id for client in answers for request_id in client[name]] for name in answers[0]}
    print(json.dumps(merged | {"refusals": refusals, "no_port": sum(sender.no_port for sender in senders)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
