"""Invitations that are sent by mail: through the API and the page, with a real mail server on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bloop.base.config import Smtp
from bloop.outbound.sockets import Outbound
from tests.integration.api.conftest import Server
from tests.integration.api.test_alert_pages import words
from tests.integration.api.test_people import submit
from tests.mail_server import MailServer, mail_server
from tests.receivers import NAME, make_authority, way_out
from tests.seed import NOW_MS, Seed


@pytest.fixture
def grace(seed: Seed) -> str:
    """An admin."""
    return seed.user("grace", is_admin=True)


@pytest.fixture
def mailing(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """A mail server that [smtp] names; bloop trusts its certificate and finds its name."""
    authority = make_authority(tmp_path)
    with mail_server(starttls=authority.context()) as there:
        smtp = Smtp(enabled=True, host=NAME, port=there.port, from_="bloop@example.com")
        server.settings = replace(server.settings, smtp=smtp)
        server.__post_init__()
        monkeypatch.setattr(Outbound, "of", lambda settings: way_out(trust=authority))
        yield there
        server.database.close()


def test_an_invitation_is_sent_and_its_link_shown_as_well(
    server: Server, seed: Seed, grace: str, mailing: MailServer
) -> None:
    cookie, body = seed.session(grace), {"name": " Hedy ", "email": "hedy@example.com"}

    made = server.call("POST", "/v1/admin/invites", cookie=cookie, json=body).json

    (mail,) = mailing.mails
    assert (mail["To"], mail["Subject"]) == ("hedy@example.com", "Your invitation to bloop")
    text = mail.get_content()
    assert made["url"] in text.splitlines()
    assert text.startswith("Hello Hedy,")
    assert "grace invites you to bloop" in text.lower()
    assert made["mail"] == {"sent": True, "detail": f"handed to {NAME}"}
    (row,) = server.get("/v1/admin/invites", cookie=cookie)
    assert (row["name"], row["email"], row["mailed_at"]) == ("Hedy", "hedy@example.com", NOW_MS // 1000)


def test_a_mail_that_cannot_be_sent_leaves_the_link(server: Server, seed: Seed, grace: str) -> None:
    body = {"name": "Hedy", "email": "hedy@example.com"}

    made = server.call("POST", "/v1/admin/invites", cookie=seed.session(grace), json=body).json

    assert made["mail"] == {"sent": False, "detail": "mail is switched off: smtp.enabled is false"}
    assert "/auth/login?invite=" in made["url"]
    assert seed.rows("SELECT email, mailed_at FROM invites") == [("hedy@example.com", None)]


@pytest.mark.parametrize(
    ("body", "path"),
    [({"email": "nobody"}, "email"), ({"name": "x" * 101}, "name"), ({"name": "two\nlines"}, "name")],
)
def test_a_bad_invitation_is_refused_with_its_field(
    server: Server, seed: Seed, grace: str, body: dict[str, str], path: str
) -> None:
    result = server.call("POST", "/v1/admin/invites", cookie=seed.session(grace), json=body)

    assert (result.status_code, result.json["path"]) == (400, path)
    assert seed.rows("SELECT id FROM invites") == []


def test_the_page_sends_invitations_where_mail_is_set(
    server: Server, seed: Seed, grace: str, mailing: MailServer
) -> None:
    cookie = seed.session(grace)
    assert 'name="email"' in server.call("GET", "/settings/people", cookie=cookie).text

    sent = submit(server, "/settings/people/invites", cookie, name="Hedy", email="hedy@example.com")

    assert "Invitation for Hedy" in sent.text
    assert "Sent to hedy@example.com. The link lets one person" in sent.text
    assert len(mailing.mails) == 1
    assert "sent to hedy@example.com" in words(server.call("GET", "/settings/people", cookie=cookie))
    refused = submit(server, "/settings/people/invites", cookie, name="Hedy", email="nobody")
    assert (refused.status_code, "invalid email address" in refused.text) == (400, True)


def test_the_page_offers_no_mail_where_none_is_set(server: Server, seed: Seed, grace: str) -> None:
    assert 'name="email"' not in server.call("GET", "/settings/people", cookie=seed.session(grace)).text
