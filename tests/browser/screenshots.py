"""Pictures of the demo for the manual: `make screenshots`. The clock stands still, so only a change of a page shows.

Usage: python -m tests.browser.screenshots FOLDER
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import apsw
from playwright.sync_api import Browser

from bloop.accounts.people.store import create_user
from bloop.alerts.deliveries import actions as alert_log
from bloop.alerts.deliveries import store as deliveries
from bloop.alerts.deliveries.read import DeliveryState, list_deliveries
from bloop.alerts.places import rule_path
from bloop.alerts.rules.read import list_rules
from bloop.alerts.saved_channels.read import list_saved_channels
from bloop.alerts.saved_channels.store import attach_channel
from bloop.base.outcomes import Outcome
from bloop.db import connection
from tests.browser.png import shrink
from tests.browser.site import Filled, Site, session
from tests.chromium import WAIT_MS, launched
from tests.seeding import Seeder

NOW_MS = 1_795_183_200_000  # a Friday, 14:00 UTC
LIST = "/?project=web-shop"


class Shot(NamedTuple):
    """`keys` are pressed first. `height` 0: as long as the page is."""

    name: str
    path: str
    width: int
    scheme: str
    height: int = 900
    keys: tuple[str, ...] = ()


SHOTS = (
    Shot("issues", LIST, 1440, "light", keys=("j", "j")),
    Shot("issues-dark", LIST, 1440, "dark"),
    Shot("issues-768", LIST, 768, "light"),
    Shot("issues-360", LIST, 360, "dark", 740),
    Shot("issue", "{issue}", 1440, "light"),
    Shot("issue-dark", "{issue}", 1440, "dark"),
    Shot("issue-768", "{issue}", 768, "dark"),
    Shot("issue-360", "{issue}", 360, "light", 740),
    Shot("keys", LIST, 1440, "light", keys=("?",)),
    Shot("first-event", "/projects/new/setup", 1440, "light"),
    Shot("ledger", "/ledger", 1440, "light"),
    Shot("alerts", "/alerts", 1440, "light", 800),
    Shot("alert", "{rule}", 1440, "light", 1060),
    Shot("channels", "/alerts/channels", 1440, "light", 640),
    Shot("deliveries", "/alerts/deliveries", 1440, "light", 760),
    Shot("account", "/settings/account", 1440, "light", 700),
    Shot("people", "/settings/people", 1440, "dark", 700),
)


# Nothing was received over HTTP: without these lines the ledger would not balance.
_RECEIVE = """
INSERT INTO ledger (minute_ms, project_id, category, outcome, count)
SELECT minute_ms, project_id, category, :received, count FROM ledger WHERE outcome = :stored;
INSERT INTO ledger_totals (project_id, category, outcome, count)
SELECT project_id, category, :received, count FROM ledger_totals WHERE outcome = :stored;
"""


def fill(seeder: Seeder) -> Filled:
    seeder.demo(issues=120, events=20_000)
    seeder.db.execute(_RECEIVE, {"received": Outcome.RECEIVED, "stored": Outcome.STORED})
    seeder.project("new", "Backoffice")
    with connection.immediate(seeder.db):
        for number, name in enumerate(("ada", "grace", "radia")):
            create_user(seeder.db, username=name, now_ms=seeder.now_ms - number * 86_400_000, user_id=f"u{number}")
        links = {"rule": rule_path(_tell_somebody(seeder.db, seeder.now_ms))}
        return Filled(session(seeder, "u0"), links)


def _tell_somebody(db: apsw.Connection, now_ms: int) -> int:
    """The rule about payments; the two that every installation has get a channel, and one message has failed."""
    rules = {rule.name: rule.id for rule in list_rules(db)}
    mail = next(row.id for row in list_saved_channels(db) if row.channel_type == "email")
    for name in ("New issues", "Regressions"):
        attach_channel(db, rules[name], None, mail, now_ms)
    failed = next(row for row in list_deliveries(db, state=DeliveryState.DISMISSED, limit=1))
    alert_log.retry(db, failed.id, now_ms)
    deliveries.mark_failed(db, failed.id, error=failed.last_error or "", status=failed.last_status, now_ms=now_ms)
    return rules["Payments are failing"]


def take(browser: Browser, site: Site, shot: Shot, issue: str) -> bytes:
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height or 900},
        color_scheme=shot.scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    context.set_default_timeout(WAIT_MS)
    context.add_cookies([{"name": "bloop_session", "value": site.cookie, "url": site.url}])
    page = context.new_page()
    page.goto(site.url + shot.path.format(issue=issue, **site.links))
    for key in shot.keys:
        page.keyboard.press(key)
    picture = page.screenshot(full_page=not shot.height)
    context.close()
    return shrink(picture)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, launched() as browser:
        site = Site(Path(data), fill, now=lambda: NOW_MS)
        issue = site.issue_called("web-shop", "TypeError: Cannot read properties")
        for shot in SHOTS:
            picture = take(browser, site, shot, issue)
            (folder / f"{shot.name}.png").write_bytes(picture)
            print(f"{len(picture) // 1024:5} KB  {shot.name}")
        site.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
