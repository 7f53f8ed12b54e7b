"""The rules, asked: what happened becomes firings, and firings become deliveries. Each step is one short transaction.

E1  Signals are read in order with a cursor of our own, which moves in the transaction that writes what they set off.
E2  Windows are asked again for minutes up to LATE_MS back, because counts may follow late; what fired there already
    does not fire again (decide D4). After a standstill they are asked for what was missed, up to CATCH_UP_MS.
E3  A rule over all projects is asked for each project by itself.
E4  A rule that cannot be read, or a signal that trips us up, is logged and passed over: it stops no other.
E5  Nobody to tell is no reason not to fire: the firing is stored without deliveries.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from bloop.alerts.deliveries import store as deliveries
from bloop.alerts.deliveries.store import DeliveryTarget
from bloop.alerts.firing import read as alerts
from bloop.alerts.firing import store, storm
from bloop.alerts.firing import windows as minutes
from bloop.alerts.firing.compose import Composer
from bloop.alerts.firing.decide import Firing, key_of, on_signal, over_minutes, reach_ms
from bloop.alerts.firing.read import Happened, Held, RuleRecord
from bloop.alerts.firing.store import FiringFields
from bloop.alerts.message import AlertMessage, to_json
from bloop.alerts.rules.model import Rule, Spike, Threshold, WindowConfig, parse_config
from bloop.base.clock import DAY_MS, MINUTE_MS, minute_of
from bloop.base.errors import BloopError
from bloop.db import connection
from bloop.db import errors as db_errors
from bloop.db.engine import Db
from bloop.pipeline import signal_log as signals

SIGNALS_MAX = 200  # looked at in one transaction: some ten ms of the write lock
LINES_MAX = 10  # named in a digest
LATE_MS = 10 * MINUTE_MS
CATCH_UP_MS = DAY_MS

log = logging.getLogger(__name__)


class Engine:
    """One per alerts process, on its control connection.

    `target` says what people may see of a channel. `fallbacks` are type and config of those told where a rule has no
    channel of its own.
    """

    def __init__(
        self,
        db: Db,
        *,
        origin: str,
        cooldown_ms: int,
        target: Callable[[str, Mapping[str, Any]], str],
        fallbacks: Iterable[tuple[str, Mapping[str, Any]]] = (),
    ) -> None:
        self._db, self._cooldown_ms, self._target = db, cooldown_ms, target
        self._composer = Composer(db, origin)
        self._fallbacks = [DeliveryTarget(None, kind, self._shown(kind, config)) for kind, config in fallbacks]

    def ask_signals(self, now_ms: int) -> bool:
        """Ask the rules about what happened since the last time, at most SIGNALS_MAX signals; whether more wait."""
        if signals.last_id(self._db) <= alerts.cursor(self._db):
            return False
        with connection.immediate(self._db):
            happened = alerts.happened_after(self._db, alerts.cursor(self._db), limit=SIGNALS_MAX)
            if not happened:
                return False
            rules = self._rules()
            for one in happened:
                self._ask(rules, one, now_ms)
            store.move_cursor(self._db, happened[-1].signal_id)
        return len(happened) == SIGNALS_MAX

    def _ask(self, rules: Sequence[Rule], happened: Happened, now_ms: int) -> None:
        try:
            with self._db:  # inside a transaction: a savepoint
                for rule in rules:
                    self._ask_one(rule, happened, now_ms)
        except (db_errors.Error, BloopError):
            raise
        except Exception:  # E4
            log.exception("signal %d is passed over", happened.signal_id, extra={"action": "signal_skipped"})

    def _ask_one(self, rule: Rule, happened: Happened, now_ms: int) -> None:
        fired_ms = alerts.fired_at_ms(self._db, rule.id, happened.project_id, happened.fingerprint or "")
        firing = on_signal(rule, happened, now_ms=now_ms, fired_ms=fired_ms)
        if firing is not None:
            for _, message in self._composer.of_signals(rule, [firing], {happened.signal_id: happened}):
                self._fire(rule, firing, message, now_ms)

    def ask_windows(self, now_ms: int) -> Iterator[None]:
        """Ask the rules that count, for the minutes since the last time (E2). Yields after each rule: a window of a day
        over hundreds of busy issues takes a third of a second, and other things may be more urgent than the next.
        """
        rules = [rule for rule in self._rules() if isinstance(rule.config, Threshold | Spike)]
        if not rules:
            return
        minute_ms = minute_of(now_ms)
        asked_ms = alerts.asked_minute_ms(self._db)
        last_ms = asked_ms if 0 < asked_ms <= minute_ms else minute_ms  # never, or before the clock was put right
        first_ms = max(last_ms - LATE_MS, minute_ms - CATCH_UP_MS)
        for rule in rules:
            self._ask_counts(rule, first_ms, minute_ms, now_ms)
            yield
        if minute_ms != asked_ms:
            with connection.immediate(self._db):
                store.move_minute(self._db, minute_ms)

    def _ask_counts(self, rule: Rule, first_ms: int, minute_ms: int, now_ms: int) -> None:
        config, scope = rule.config, rule.scope
        assert isinstance(config, Threshold | Spike)
        if scope is None:
            return
        first_ms = min(max(first_ms, rule.from_minute_ms), minute_ms)
        counts = minutes.counts(self._db, scope, first_ms - reach_ms(config), minute_ms)
        found = [
            (firing, self._composer.of_count(rule, firing, now_ms))
            for project_id, per_minute in counts.items()
            for firing in self._over_minutes(rule, config, project_id, per_minute, first_ms, minute_ms)
        ]
        if found:
            with connection.immediate(self._db):
                for firing, message in found:
                    self._fire(rule, firing, message, now_ms)

    def _over_minutes(
        self,
        rule: Rule,
        config: WindowConfig,
        project_id: int,
        counts: Mapping[int, int],
        first_ms: int,
        last_ms: int,
    ) -> Iterable[Firing]:
        fired_ms = alerts.fired_at_ms(self._db, rule.id, project_id, key_of(config))
        return over_minutes(rule, project_id, counts, first_ms, last_ms, fired_ms=fired_ms)

    def tell_held(self, now_ms: int) -> None:
        """Make the digests that are due (storm T1)."""
        for held in alerts.held(self._db, now_ms, hold_ms=storm.STORM_MS):
            with connection.immediate(self._db):
                self._tell_held(held, now_ms)

    def _tell_held(self, held: Held, now_ms: int) -> None:
        named = alerts.held_firings(self._db, held.rule_id, limit=LINES_MAX)
        if not alerts.rule_is_there(self._db, held.rule_id):
            store.tell_held(self._db, held.rule_id, None)
        elif held.firing_count == 1:
            store.tell_held(self._db, held.rule_id, None)
            deliveries.add(self._db, named[0].id, held.rule_id, self._targets(held.rule_id), now_ms)
        else:
            is_one_project = held.project_id is not None
            message = self._composer.digest(named, held.firing_count, is_one_project=is_one_project, now_ms=now_ms)
            fields = FiringFields(
                held.rule_id, message.rule_name, "digest", held.project_id, "digest", now_ms, to_json(message)
            )
            digest_id = store.add_firing(self._db, fields)
            store.tell_held(self._db, held.rule_id, digest_id)
            deliveries.add(self._db, digest_id, held.rule_id, self._targets(held.rule_id), now_ms)

    def _fire(self, rule: Rule, firing: Firing, message: AlertMessage, now_ms: int) -> None:
        held_until_ms = alerts.held_until_ms(self._db, rule.id)
        told = [] if held_until_ms is not None else alerts.told(self._db, rule.id, limit=storm.ALONE_MAX)
        held_until_ms = storm.hold_until(told, held_until_ms, now_ms)
        fields = FiringFields(
            rule_id=rule.id,
            rule_name=rule.name,
            rule_type=rule.type.value,
            project_id=firing.project_id,
            key=firing.key,
            fired_at_ms=now_ms,
            message=to_json(message),
            issue_id=firing.issue_id,
            signal_id=firing.signal_id,
            held_until_ms=held_until_ms,
        )
        firing_id = store.add_firing(self._db, fields)
        store.cool_down(self._db, rule.id, firing.project_id, firing.key, firing.at_ms)
        if held_until_ms is None:
            deliveries.add(self._db, firing_id, rule.id, self._targets(rule.id), now_ms)

    def _targets(self, rule_id: int) -> list[DeliveryTarget]:
        """The rule's own channels, or else the fallbacks."""
        own = alerts.channels(self._db, rule_id)
        targets = [
            DeliveryTarget(c.id, c.channel_type, self._shown(c.channel_type, orjson.loads(c.config))) for c in own
        ]
        return targets or self._fallbacks

    def _shown(self, channel_type: str, config: Mapping[str, Any]) -> str:
        try:
            return self._target(channel_type, config)
        except (LookupError, TypeError, ValueError):  # a type of another version: sending will say so
            return ""

    def _rules(self) -> list[Rule]:
        return [rule for record in alerts.rules(self._db) if (rule := self._rule(record)) is not None]

    def _rule(self, record: RuleRecord) -> Rule | None:
        try:
            config = parse_config(record.rule_type, orjson.loads(record.config))
        except (BloopError, ValueError) as error:
            log.warning("rule %d cannot be read: %s", record.id, error, extra={"action": "rule_skipped"})
            return None
        return Rule(
            id=record.id,
            name=record.name,
            project_id=record.project_id,
            config=config,
            environment_filter=record.environment_filter,
            source_filter=record.source_filter,
            cooldown_ms=self._cooldown_ms if record.cooldown_secs is None else record.cooldown_secs * 1000,
            after_signal_id=record.after_signal_id,
            from_minute_ms=minute_of(record.updated_at_ms),
        )
