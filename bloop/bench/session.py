"""`bloop bench` from the first request to the accounts: load by load, with readers and samplers beside it.

SESSION-1  Ctrl-C ends the current load; everything measured so far is accounted for and reported like a whole run.
SESSION-2  A load whose counts do not agree ends the run; the accounts name the difference.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from bloop.bench.about import machine
from bloop.bench.load import LoadResult, run_load
from bloop.bench.measure import CountError, Measurement, measure
from bloop.bench.percentiles import summary_ms
from bloop.bench.places import Place
from bloop.bench.profiles import Options, Profile, Ramp, is_held, is_lazy, stages
from bloop.bench.results import Accounts, Findings, LoadStep, reconcile
from bloop.bench.rows import VisibilityWatch
from bloop.bench.sampling import Reader, Sampler, added_up, difference
from bloop.bench.schedule import Load, Stage
from bloop.bench.timeline import timeline

WARM_UP = 400  # events, not reported: connections, caches, the first issues
WARM_UP_PER_S = 400.0
WARM_UP_RUN = "warm"
GENERATOR_SHARE_MAX = 0.5  # of a core; with more, the generator itself distorts the measurement


@dataclass
class Session:
    """One bench. `say` gets the name and duration of each step."""

    place: Place
    options: Options
    say: Callable[[str, float], None]
    findings: Findings = field(init=False)
    _loads: list[tuple[Load, LoadResult]] = field(default_factory=list)
    _began: float = field(init=False)  # time.monotonic()
    _broken: str = ""  # what is missing in the load that ended the run
    _is_whole: bool = True  # every load that was begun is in the accounts

    def run(self) -> Findings:
        self.findings = Findings(machine(), asdict(self.options))
        self._warm_up()
        before = self.place.counted()
        readers = [Reader(self.place.target, self.place.token) for _ in range(self.options.readers)]
        sampler = Sampler(self.place.instance) if self.place.instance else None
        self._began = time.monotonic()
        with contextlib.ExitStack() as beside:
            for one in (*readers, sampler) if sampler else readers:
                beside.enter_context(one)
            try:
                self._drive()
            except KeyboardInterrupt:  # while nothing was being sent, or again while the rest was being stored
                self.findings.interrupted, self._is_whole = True, False
            except CountError as error:
                self._broken, self._is_whole = str(error), False
        found = self.findings
        found.reads = added_up(readers)
        found.timeline = timeline(self._began, self._loads, sampler.samples if sampler else [])
        found.memory_mib = sampler.fullest if sampler else {}
        found.accounts = self._accounts(before)
        self._warn()
        return found

    def _warm_up(self) -> None:
        self.say("warming up", WARM_UP / WARM_UP_PER_S)
        load = Load(self.place.target, WARM_UP_RUN, requests=WARM_UP, rate=WARM_UP_PER_S, connections=4)
        if self.place.instance is None:
            run_load(load)
        else:
            measure(self.place.instance, load)

    def _drive(self) -> None:
        if self.options.profile is not Profile.RAMP:
            self._step(stages(self.options))
            return
        ramp = Ramp(self.options.requests_per_s)
        while not self.findings.interrupted and (rate := ramp.next_rate()) is not None:
            step = self._step((Stage(self.options.seconds, rate),))
            if not step.interrupted:
                ramp.note(rate, held=step.held)
        self.findings.limit_per_s = ramp.held * self.options.batch

    def _step(self, schedule: tuple[Stage, ...]) -> LoadStep:
        options, number = self.options, len(self._loads)
        seconds, requests = sum(s.seconds for s in schedule), sum(s.requests for s in schedule)
        rate = requests * options.batch / seconds
        self.say(f"{rate:,.0f} events/s", seconds)
        load = Load(
            self.place.target,
            f"bench{number}",
            requests=requests,
            batch=options.batch if options.batch > 1 else 0,
            stages=schedule,
            body=options.body,
            lazy=is_lazy(schedule, options.batch),
            connections=options.connections,
        )
        measured, result, watch = self._measured(load)
        self._loads.append((load, result))
        drain_s = measured.drain_s if measured else None
        step = LoadStep(
            rate=rate,
            batch=options.batch,
            started_s=result.started_at - self._began,
            seconds=result.seconds,
            sent=result.sent_events,
            accepted=result.accepted,
            dropped=result.dropped,
            invalid=result.invalid,
            refused=result.refused,
            latency=summary_ms(result.latency_s),
            generator_cores=result.generator_cpu_s / result.seconds,
            drain_s=drain_s,
            cpu_s=measured.cpu_s if measured else {},
            interrupted=result.interrupted,
        )
        step.held = not result.interrupted and is_held(
            clean=not (result.dropped or result.invalid or result.refused),
            planned_s=seconds,
            took_s=result.seconds,
            drain_s=drain_s or 0.0,
        )
        if watch is not None and watch.seen:
            step.visible = summary_ms(watch.waits_s(result.answered))
        self.findings.steps.append(step)
        self.findings.interrupted |= result.interrupted
        return step

    def _measured(self, load: Load) -> tuple[Measurement | None, LoadResult, VisibilityWatch | None]:
        """The load's result, with what else can be seen of it. A ramp is not watched row by row: that costs a core."""
        instance = self.place.instance
        if instance is None:
            return None, run_load(load), None
        if self.options.profile is Profile.RAMP:
            measured = measure(instance, load)
            return measured, measured.result, None
        with VisibilityWatch(instance.database, load.run) as watch:
            measured = measure(instance, load)
        return measured, measured.result, watch

    def _accounts(self, before: dict[str, int] | None) -> Accounts:
        steps = self.findings.steps
        accounts = Accounts(
            sent=sum(step.sent for step in steps),
            accepted=sum(step.accepted for step in steps),
            dropped=sum(step.dropped for step in steps),
            invalid=sum(step.invalid for step in steps),
            refused_requests=sum(sum(step.refused.values()) for step in steps),
        )
        self.say("comparing what was accepted with what is stored", 0.0)
        accounts.ledger = difference(before, self.place.counted())
        if accounts.ledger is None:
            accounts.note = "not compared with what is stored: that needs --token-file, with the scope errors:read"
        if self._broken:
            accounts.breaches.append(self._broken)
        return reconcile(accounts, alone=self._is_whole and self.place.instance is not None)

    def _warn(self) -> None:
        steps, warn = self.findings.steps, self.findings.warnings.append
        share = max((step.generator_cores for step in steps), default=0.0)
        if share > GENERATOR_SHARE_MAX:
            warn(f"the generator took {share:.2f} cores itself: on this machine the figures are too low")
        if self.options.profile is Profile.RAMP and not self.findings.limit_per_s and not self.findings.interrupted:
            warn("no rate was held; is the machine busy?")
