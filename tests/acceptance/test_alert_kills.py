"""Every rule fires once for every issue, whenever the alerts process is killed, and every firing is sent.

fired once, sent once                       ACCEPTABLE  the promise
sent twice with one delivery id             ACCEPTABLE  killed between the receiver's answer and our note
sent twice with different delivery ids      FORBIDDEN   the receiver cannot tell
fired twice                                 FORBIDDEN   a page at night for nothing
not fired, or fired and not sent            FORBIDDEN   the issue stays unnoticed

The process is forked from here rather than started: a life of a tenth of a second is long enough to be killed in the
middle of something. The parent opens the database only while no child is about to be forked.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from bloop.alerts.firing import storm
from bloop.base import config
from bloop.db import connection, migrate
from tests.acceptance.test_kills import SEED, say
from tests.receivers import Got, Receiver
from tests.seeding import Seeder
from tests.waiting import lives_on, until
from workers import alerts, process

KILLS = int(os.environ.get("BLOOP_TEST_KILLS", "60"))
ISSUES = 1000
RULES = 6
LIFE_S_MAX = 0.12
NOW_MS = 1_800_000_000_000

_INSERT_RULE = """
INSERT INTO alert_rules (name, rule_type, config, created_at_ms, updated_at_ms) VALUES (?, 'new_issue', '{}', 0, 0)
"""
_INSERT_CHANNEL = """
INSERT INTO channels (channel_type, config, created_at_ms, updated_at_ms) VALUES ('webhook', ?, 0, 0)
"""
# Firings that neither have a sent delivery nor belong to a digest that has one.
_UNTOLD = """
SELECT count(*) FROM alert_firings AS f
 WHERE NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.firing_id = coalesce(f.digest_id, f.id) AND d.state = 'sent')
"""

pytestmark = pytest.mark.faults


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def settings(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> config.Settings:
    """A database with `RULES` rules, each with a channel of its own; digests come twice a second."""
    monkeypatch.setattr(storm, "STORM_MS", 500)
    settings = config.load(
        environ={
            "BLOOP__DATABASE__PATH": str(tmp_path / "bloop.db"),
            "BLOOP__ALERTING__ALLOW_PRIVATE": "true",
            "BLOOP__SERVER__LOG_LEVEL": "error",
        },
        secret_required=False,
    )
    migrate.migrate(settings.database_path, NOW_MS)
    with closing(connection.open_control(settings.database_path)) as db:
        db.execute("DELETE FROM alert_rules")
        for number in range(RULES):
            db.execute(_INSERT_RULE, (f"rule {number}",))
            rule_id = db.last_insert_rowid()
            channel = orjson.dumps({"url": receiver.url(path=f"/rule/{number}")}).decode()
            db.execute(_INSERT_CHANNEL, (channel,))
            db.execute("INSERT INTO rule_channels VALUES (?, ?, 0)", (rule_id, db.last_insert_rowid()))
    return settings


def fork(main: Callable[[], int]) -> int:
    """The pid of a child that does nothing else."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = main()
        finally:
            os._exit(code)
    return pid


@contextmanager
def asking(settings: config.Settings, signum: signal.Signals) -> Iterator[int]:
    """The pid of an alerts process, ended by `signum`."""
    pid = fork(lambda: process.guard("alerts", settings, lambda: alerts.run(settings)))
    try:
        yield pid
    finally:
        os.kill(pid, signum)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == (0 if signum == signal.SIGTERM else -signum)


@contextmanager
def writing(settings: config.Settings) -> Iterator[Callable[[], None]]:
    """A process that stores its share of the new issues at every call, through the writer's own code."""
    share = -(-ISSUES // KILLS)
    read_fd, write_fd = os.pipe()

    def write() -> int:
        os.close(write_fd)
        with closing(Seeder(settings.database_path, NOW_MS)) as seeder:
            seeder.project("shop", "Shop")
            left = [issue(number) for number in range(ISSUES)]
            while os.read(read_fd, 1):
                seeder.store([("shop", event, NOW_MS) for event in left[:share]])
                del left[:share]
        return 0

    pid = fork(write)
    os.close(read_fd)
    try:
        yield lambda: os.write(write_fd, b".") and None
    finally:
        os.close(write_fd)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def issue(number: int) -> dict[str, Any]:
    event = {"timestamp": NOW_MS, "source": "api", "environment": "production", "release": "1.0.0"}
    return event | {"error_type": "TypeError", "message": "it broke", "fingerprint": f"issue-{number}"}


def test_every_rule_fires_once_for_every_issue_and_is_sent_despite_kills(
    settings: config.Settings, receiver: Receiver
) -> None:
    rng = random.Random(SEED)
    with writing(settings) as write_some:
        for _ in range(KILLS):
            with asking(settings, signal.SIGKILL) as pid:
                write_some()
                assert lives_on(pid, rng.random() * LIFE_S_MAX)

    with asking(settings, signal.SIGTERM), closing(connection.open_reader(settings.database_path)) as db:
        until(lambda: is_all_sent(db), "every firing to be sent", within_s=60)
    with closing(connection.open_reader(settings.database_path)) as db:
        fired = db.execute("SELECT rule_id, signal_id FROM alert_firings WHERE rule_type <> 'digest'").fetchall()
        unsent = db.execute(_UNTOLD).get
        sent = dict(db.execute("SELECT message_key, firing_id FROM deliveries"))
        by_state = dict(db.execute("SELECT state, count(*) FROM deliveries GROUP BY 1"))

    whole = [request.json for request in receiver.got if is_complete(request)]
    got = Counter(body["delivery_id"] for body in whole)
    repeats = sum(got.values()) - len(got)
    say(f"seed {SEED}, {KILLS} kills: {len(fired)} firings, {len(sent)} messages, {repeats} of them sent again")
    assert Counter(rule_id for rule_id, _ in fired) == dict.fromkeys(range(3, 3 + RULES), ISSUES), f"seed {SEED}"
    assert len(set(fired)) == len(fired), f"fired twice, seed {SEED}"
    assert unsent == 0, f"not sent, seed {SEED}"
    assert by_state == {"sent": len(sent)}
    assert set(got) == set(sent), f"seed {SEED}"
    assert repeats <= KILLS * RULES, "one attempt at a time for each channel"
    texts = {(body["delivery_id"], body["text"]) for body in whole}
    assert len(texts) == len(got), f"one id for two messages, seed {SEED}"


def is_complete(request: Got) -> bool:
    """False if the sender was killed in the middle of it."""
    return 0 < len(request.body) == int(request.headers.get("content-length", -1))


def is_all_sent(db: Any) -> bool:
    (fired,) = db.execute("SELECT count(*) FROM alert_firings WHERE rule_type <> 'digest'").fetchone()
    return fired == ISSUES * RULES and db.execute(_UNTOLD).get == 0
