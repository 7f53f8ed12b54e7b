"""The results of a bench: one `LoadStep` per load, one `Second` per second, and the accounts at the end."""

from __future__ import annotations

from dataclasses import dataclass, field

from bloop.bench.percentiles import Summary


@dataclass(slots=True)
class LoadStep:
    """One load, from its first request until every accepted event is stored, if that can be read."""

    rate: float  # events per second asked for, on average
    batch: int
    started_s: float  # since the bench began
    seconds: float
    sent: int  # events
    accepted: int
    dropped: int
    invalid: int
    refused: dict[int, int]  # requests by status
    latency: Summary  # from when a request was due to its answer
    generator_cores: float
    visible: Summary | None = None  # from the answer until a reader sees the row
    drain_s: float | None = None  # from the last answer until the last row
    cpu_s: dict[str, float] = field(default_factory=dict)  # by part of bloop
    held: bool = True
    interrupted: bool = False

    @property
    def answered_per_s(self) -> float:
        return self.sent / self.seconds if self.seconds else 0.0

    @property
    def cpu_s_per_10k(self) -> float | None:
        """CPU seconds of all of bloop per 10,000 events; None if not measured."""
        return sum(self.cpu_s.values()) / self.accepted * 10_000 if self.cpu_s and self.accepted else None


@dataclass(slots=True)
class Second:
    """One second of the timeline; values that were not measured are None."""

    at_s: float  # since the bench began
    offered: float = 0.0  # events due
    answered: int = 0  # events
    p50_ms: float | None = None
    p99_ms: float | None = None
    stored: int | None = None
    waiting: int | None = None  # records in the ring and its spill
    pss_mib: float | None = None
    cores: dict[str, float] = field(default_factory=dict)  # by part of bloop


@dataclass(slots=True)
class Reads:
    """The results of the readers beside the load."""

    count: int
    failed: int
    reasons: dict[str, int]  # of those that failed: status, or what went wrong
    latency: Summary


@dataclass(slots=True)
class Accounts:
    """The answers compared with the server's counts; `breaches` is empty when they agree."""

    sent: int
    accepted: int
    dropped: int
    invalid: int
    refused_requests: int
    ledger: dict[str, int] | None = None  # what the load added, by outcome; None: not readable
    breaches: list[str] = field(default_factory=list)
    note: str = ""  # why something was not compared


@dataclass(slots=True)
class Findings:
    """Everything, in the order it happened. Dataclasses all the way down: orjson writes it as it is."""

    about: dict[str, object]
    options: dict[str, object]
    steps: list[LoadStep] = field(default_factory=list)
    timeline: list[Second] = field(default_factory=list)
    memory_mib: dict[str, float] = field(default_factory=dict)  # PSS by process at the fullest moment
    reads: Reads | None = None
    accounts: Accounts | None = None
    limit_per_s: float | None = None  # of a ramp
    interrupted: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.accounts is None or not self.accounts.breaches


def reconcile(accounts: Accounts, *, alone: bool) -> Accounts:
    """List the disagreements. `alone`: no other client sent events, so every number must match."""
    say = accounts.breaches.append
    answered = accounts.accepted + accounts.dropped + accounts.invalid
    if not accounts.refused_requests and answered != accounts.sent:
        say(f"{accounts.sent} events were sent, {answered} were answered")
    ledger = accounts.ledger
    if ledger is not None:
        stored, received = ledger.get("stored", 0), ledger.get("received", 0)
        if stored < accounts.accepted or (alone and stored != accounts.accepted):
            say(f"{accounts.accepted} events were accepted, the ledger says that {stored} are stored")
        settled = sum(count for outcome, count in ledger.items() if outcome != "received")
        if alone and received != settled:
            say(f"the ledger does not balance: {received} received, {settled} accounted for")
    return accounts
