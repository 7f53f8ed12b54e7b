"""Evaluates rules: signals and counts become firings, firings become deliveries. Each step is one short transaction.

ENGINE-1  Signals are read in order with a cursor, which moves in the transaction that writes their firings.
ENGINE-2  Windows are evaluated again for minutes up to LATE_MS back, because counts may arrive late; what fired there
          does not fire again (DECIDE-4). After a standstill they catch up, by at most CATCH_UP_MS.
ENGINE-3  A rule over all projects is evaluated per project.
ENGINE-4  A rule that cannot be read, or a signal that raises, is logged and skipped: the others continue.
ENGINE-5  A rule without channels fires too: its firing is stored without deliveries.
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
from bloop.alerts.firing.read import DueDigest, IssueSignal, RuleRecord
from bloop.alerts.firing.store import FiringFields
from bloop.alerts.message import AlertMessage, to_json
from bloop.alerts.rules.model import Rule, Spike, Threshold, WindowConfig, parse_config
from bloop.base.clock import DAY_MS, MINUTE_MS, minute_of
from bloop.base.errors import BloopError
from bloop.db import connection
from bloop.db import errors as db_errors
from bloop.db.engine import Db
from bloop.pipeline import signal_log as signals

SIGNALS_MAX = 200  # per transaction: about ten ms of the write lock
LINES_MAX = 10  # listed in a digest
LATE_MS = 10 * MINUTE_MS
CATCH_UP_MS = DAY_MS

log = logging.getLogger(__name__)


class Engine:
    """One per alerts process, on its control connection.

    `target` names a channel's receiver without secrets. `fallbacks` are type and config of the default channels, for
    rules without channels of their own.
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
        self._fallbacks = [DeliveryTarget(None, kind, self._target_of(kind, config)) for kind, config in fallbacks]

    def evaluate_signals(self, now_ms: int) -> bool:
        """Evaluate the rules for new signals, at most SIGNALS_MAX; return whether more wait."""
        if signals.last_id(self._db) <= alerts.cursor(self._db):
            return False
        with connection.immediate(self._db):
            new_signals = alerts.list_signals_after(self._db, alerts.cursor(self._db), limit=SIGNALS_MAX)
            if not new_signals:
                return False
            rules = self._rules()
            for signal in new_signals:
                self._evaluate_signal(rules, signal, now_ms)
            store.move_cursor(self._db, new_signals[-1].signal_id)
        return len(new_signals) == SIGNALS_MAX

    def _evaluate_signal(self, rules: Sequence[Rule], signal: IssueSignal, now_ms: int) -> None:
        try:
            with self._db:  # inside a transaction: a savepoint
                for rule in rules:
                    self._evaluate_rule(rule, signal, now_ms)
        except (db_errors.Error, BloopError):
            raise
        except Exception:  # ENGINE-4
            log.exception("signal %d skipped", signal.signal_id, extra={"action": "signal_skipped"})

    def _evaluate_rule(self, rule: Rule, signal: IssueSignal, now_ms: int) -> None:
        fired_ms = alerts.fired_at_ms(self._db, rule.id, signal.project_id, signal.fingerprint or "")
        firing = on_signal(rule, signal, now_ms=now_ms, fired_ms=fired_ms)
        if firing is not None:
            for _, message in self._composer.of_signals(rule, [firing], {signal.signal_id: signal}):
                self._fire(rule, firing, message, now_ms)

    def evaluate_windows(self, now_ms: int) -> Iterator[None]:
        """Evaluate the counting rules for the minutes since the last time (ENGINE-2). Yields after each rule: a window
        of a day over hundreds of busy issues takes a third of a second, and more urgent work may be waiting.
        """
        rules = [rule for rule in self._rules() if isinstance(rule.config, Threshold | Spike)]
        if not rules:
            return
        minute_ms = minute_of(now_ms)
        evaluated_ms = alerts.evaluated_minute_ms(self._db)
        last_ms = (
            evaluated_ms if 0 < evaluated_ms <= minute_ms else minute_ms
        )  # never, or before the clock was corrected
        first_ms = max(last_ms - LATE_MS, minute_ms - CATCH_UP_MS)
        for rule in rules:
            self._evaluate_counts(rule, first_ms, minute_ms, now_ms)
            yield
        if minute_ms != evaluated_ms:
            with connection.immediate(self._db):
                store.move_minute(self._db, minute_ms)

    def _evaluate_counts(self, rule: Rule, first_ms: int, minute_ms: int, now_ms: int) -> None:
        config, scope = rule.config, rule.scope
        assert isinstance(config, Threshold | Spike)
        if scope is None:
            return
        first_ms = min(max(first_ms, rule.from_minute_ms), minute_ms)
        counts = minutes.counts(self._db, scope, first_ms - reach_ms(config), minute_ms)
        fired = [
            (firing, self._composer.of_count(rule, firing, now_ms))
            for project_id, per_minute in counts.items()
            for firing in self._over_minutes(rule, config, project_id, per_minute, first_ms, minute_ms)
        ]
        if fired:
            with connection.immediate(self._db):
                for firing, message in fired:
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

    def send_digests(self, now_ms: int) -> None:
        """Send the digests that are due (STORM-1)."""
        for digest in alerts.list_due_digests(self._db, now_ms, hold_ms=storm.STORM_MS):
            with connection.immediate(self._db):
                self._send_digest(digest, now_ms)

    def _send_digest(self, digest: DueDigest, now_ms: int) -> None:
        firings = alerts.list_held_firings(self._db, digest.rule_id, limit=LINES_MAX)
        if not alerts.rule_exists(self._db, digest.rule_id):
            store.release_held(self._db, digest.rule_id, None)
        elif digest.firing_count == 1:
            store.release_held(self._db, digest.rule_id, None)
            deliveries.add(self._db, firings[0].id, digest.rule_id, self._targets(digest.rule_id), now_ms)
        else:
            is_one_project = digest.project_id is not None
            message = self._composer.digest(firings, digest.firing_count, is_one_project=is_one_project, now_ms=now_ms)
            fields = FiringFields(
                digest.rule_id, message.rule_name, "digest", digest.project_id, "digest", now_ms, to_json(message)
            )
            digest_id = store.add_firing(self._db, fields)
            store.release_held(self._db, digest.rule_id, digest_id)
            deliveries.add(self._db, digest_id, digest.rule_id, self._targets(digest.rule_id), now_ms)

    def _fire(self, rule: Rule, firing: Firing, message: AlertMessage, now_ms: int) -> None:
        held_until_ms = alerts.digest_due_at_ms(self._db, rule.id)
        sent = [] if held_until_ms is not None else alerts.list_recent_alerts(self._db, rule.id, limit=storm.ALONE_MAX)
        held_until_ms = storm.hold_until(sent, held_until_ms, now_ms)
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
        store.start_cooldown(self._db, rule.id, firing.project_id, firing.key, firing.at_ms)
        if held_until_ms is None:
            deliveries.add(self._db, firing_id, rule.id, self._targets(rule.id), now_ms)

    def _targets(self, rule_id: int) -> list[DeliveryTarget]:
        """The rule's own channels, else the fallbacks."""
        own = alerts.list_rule_channels(self._db, rule_id)
        targets = [
            DeliveryTarget(c.id, c.channel_type, self._target_of(c.channel_type, orjson.loads(c.config))) for c in own
        ]
        return targets or self._fallbacks

    def _target_of(self, channel_type: str, config: Mapping[str, Any]) -> str:
        try:
            return self._target(channel_type, config)
        except (
            LookupError,
            TypeError,
            ValueError,
        ):  # a type of another version: the delivery will fail with the reason
            return ""

    def _rules(self) -> list[Rule]:
        return [rule for record in alerts.list_active_rules(self._db) if (rule := self._rule(record)) is not None]

    def _rule(self, record: RuleRecord) -> Rule | None:
        try:
            config = parse_config(record.rule_type, orjson.loads(record.config))
        except (BloopError, ValueError) as error:
            log.warning("rule %d is invalid: %s", record.id, error, extra={"action": "rule_skipped"})
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
