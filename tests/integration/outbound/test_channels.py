"""RESULT-1, RESULT-2, CHANNEL-2: what becomes of an attempt, against receivers that answer for real."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from typing import Any

import pytest

from bloop.alerts import channels
from bloop.alerts.channels import Result
from bloop.base.config import Alerting, Auth, Settings, Smtp
from bloop.outbound.sockets import Outbound
from tests.mail_server import PASSWORDS, USER, mail_server
from tests.receivers import NAME, OK, Authority, Got, Receiver, answer, dripping, hang_up, receiver, silent, way_out
from tests.unit.alerts.channels.samples import AT_MS, HOSTILE, KEY, NEW_ISSUE

SETTINGS = Settings(alerting=Alerting(allowed_hosts=("127.0.0.1",)), auth=Auth(rp_origin="https://errors.example.com"))
TOKEN = "123456:AAhunter2hunter2hunter2hunter2hunt"
PATH = "/hooks/hunter2"
STATES = [(status, "sent") for status in (200, 202, 204)]
STATES += [(status, "failed") for status in (301, 302, 308, 400, 401, 403, 404, 410)]
STATES += [(status, "retry") for status in (408, 425, 429, 500, 502, 503, 599)]
KINDS = ["slack", "webhook", "discord", "telegram", "teams"]


def config_of(kind: str, there: Receiver, host: str = "") -> dict[str, Any]:
    if kind == "telegram":
        return {"bot_token": TOKEN, "chat_id": "-100123", "api_url": there.url(host, "")}
    return {"url" if kind == "webhook" else "webhook_url": there.url(host, PATH)}


def send(kind: str, config: dict[str, Any], out: Outbound | None = None, settings: Settings = SETTINGS) -> Result:
    """One attempt; whatever becomes of it, nothing secret is in the result."""
    result = channels.send(
        kind, config, NEW_ISSUE, settings, message_key=KEY, out=out or way_out(), now_ms=lambda: AT_MS
    )
    assert "hunter2" not in repr(result)
    return result


def outcome(kind: str, *answers: Any, **limits: Any) -> Result:
    with receiver(*answers) as there:
        return send(kind, config_of(kind, there), way_out(**limits))


@pytest.mark.parametrize("kind", KINDS)
def test_message_arrives(kind: str):
    with receiver(answer(200, b'{"ok":true}')) as there:
        result = send(kind, config_of(kind, there))

    assert result == Result("sent", "127.0.0.1 answered 200", 200, answer='{"ok":true}')
    (got,) = there.got
    assert got.headers["content-type"] == "application/json"
    assert got.headers["idempotency-key"] == KEY
    assert "SHOP-12" in got.body.decode()
    assert got.line == f"POST {'/bot' + TOKEN + '/sendMessage' if kind == 'telegram' else PATH} HTTP/1.1"


@pytest.mark.parametrize("kind", KINDS)
def test_config_that_was_checked_is_one_that_can_be_sent_with(kind: str):
    with receiver() as there:
        stored = channels.check(kind, config_of(kind, there), SETTINGS)

        assert send(kind, stored).state == "sent"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "state"),
    STATES,
)
def test_status_decides(kind: str, status: int, state: str):
    result = outcome(kind, answer(status))

    assert (result.state, result.status) == (state, status)
    assert result.detail.startswith(f"127.0.0.1 answered {status}")


@pytest.mark.parametrize("kind", KINDS)
def test_receiver_that_asks_for_a_pause_gets_it_up_to_an_hour(kind: str):
    assert outcome(kind, answer(429, retry_after="7")).retry_after_s == 7
    assert outcome(kind, answer(503, retry_after="Tue, 14 Nov 2023 22:15:20 GMT")).retry_after_s == 120
    assert outcome(kind, answer(429, retry_after="999999")).retry_after_s == 3600
    assert outcome(kind, answer(429)).retry_after_s is None


@pytest.mark.parametrize(
    ("kind", "body", "seconds"),
    [
        ("discord", b'{"message": "You are being rate limited.", "retry_after": 0.65}', 0.65),
        ("telegram", b'{"ok": false, "error_code": 429, "parameters": {"retry_after": 14}}', 14),
        ("telegram", b'{"ok": false, "parameters": {"retry_after": -3}}', 0),
        ("telegram", b'{"ok": false, "parameters": {"retry_after": 1e12}}', 3600),
        ("telegram", b'{"ok": false, "parameters": []}', 7),
        ("discord", b'{"retry_after": "soon"}', 7),
        ("discord", b'{"retry_after": true}', 7),
        ("discord", b"[1]", 7),
        ("discord", b"\xff", 7),
    ],
)
def test_pause_may_stand_in_the_body_where_a_service_puts_it(kind: str, body: bytes, seconds: float):
    assert outcome(kind, answer(429, body, retry_after="7")).retry_after_s == seconds


@pytest.mark.parametrize(
    ("kind", "status", "body", "detail"),
    [
        ("slack", 404, b"no_service", "127.0.0.1 answered 404 no_service"),
        ("slack", 403, b"<html>root:x:0:0 secret</html>", "127.0.0.1 answered 403"),
        ("slack", 400, b"secret value", "127.0.0.1 answered 400"),
        ("discord", 404, b'{"message": "Unknown Webhook", "code": 10015}', "127.0.0.1 answered 404 Unknown Webhook"),
        ("telegram", 400, b'{"ok": false, "description": "Bad Request: chat not found"}', None),
        ("webhook", 500, b'{"message": "secret"}', "127.0.0.1 answered 500"),
        ("teams", 400, b'{"message": "secret"}', "127.0.0.1 answered 400"),
    ],
)
def test_reason_is_read_only_from_services_known_to_give_one(kind: str, status: int, body: bytes, detail: str | None):
    assert outcome(kind, answer(status, body)).detail == (
        detail or "127.0.0.1 answered 400 Bad Request: chat not found"
    )


@pytest.mark.parametrize("status", [200, 404, 503])
def test_the_beginning_of_the_answer_is_told_as_one_line(status: int):
    body = "<p>no\r\n such \u202e hook</p> ".encode() + "é".encode() * 300

    result = outcome("webhook", answer(status, body))

    assert result.answer.startswith("<p>no such hook</p> éé")
    assert 190 < len(result.answer.encode()) <= 200


def test_an_answer_that_repeats_the_address_or_a_secret_is_told_without_it():
    config = {
        "signing_secret": "hunter2" * 4,
        "headers": {"X-Key": "Bearer hunter2-header"},
        "secrets": {"k": "hunter2x"},
    }
    with receiver(lambda there, sock: sock.sendall(answer(404, _repeated(there.got[0])))) as there:
        result = send("webhook", {"url": there.url("", "/hooks/hunter2-path?key=hunter2-query"), **config})

    assert result.answer.startswith("POST /hooks/…")


def _repeated(got: Got) -> bytes:
    return f"{got.line} {got.headers['x-key']} hunter2x {got.line.replace('/', chr(92) + '/')}".encode()


def test_what_a_private_address_answers_is_told_only_when_the_operator_named_it():
    with receiver(answer(404, b"internal status page")) as there:
        opened = Settings(alerting=Alerting(allow_private=True))
        by_allowing = send("webhook", config_of("webhook", there), Outbound.of(opened))
        by_naming = send("webhook", config_of("webhook", there), Outbound.of(SETTINGS))

    assert (by_allowing.answer, by_naming.answer) == ("", "internal status page")
    assert by_allowing.detail == by_naming.detail


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("slack", b'{"ok": false, "error": "channel_not_found"}'),
        ("slack", b'{"success": false, "error": "Invalid integration id"}'),
        ("telegram", b'{"ok": false, "description": "Forbidden: bot was blocked by the user"}'),
    ],
)
def test_no_in_the_body_of_a_200_is_a_no(kind: str, body: bytes):
    result = outcome(kind, answer(200, body))

    assert result.state == "failed"
    assert result.status == 200


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("behave", [hang_up, silent, dripping(b"HTTP/1.1 2")], ids=["hangs up", "silent", "drips"])
def test_no_answer_is_worth_another_try(kind: str, behave: Any):
    result = outcome(kind, behave, http_s=0.2)

    assert (result.state, result.status) == ("retry", None)
    assert result.detail.startswith("127.0.0.1: ")


@pytest.mark.parametrize("kind", KINDS)
def test_unreachable_receiver_is_retried(kind: str):
    with receiver() as there:
        config = config_of(kind, there)

    assert send(kind, config) == Result("retry", "127.0.0.1: the connection was refused")


@pytest.mark.parametrize("kind", KINDS)
def test_certificate_that_does_not_verify_is_worth_another_try(kind: str, authority: Authority):
    with receiver(tls=authority.context()) as there:
        result = send(kind, config_of(kind, there, NAME))

    assert result.state == "retry"
    assert result.detail.startswith(f"{NAME}: its certificate does not verify: ")
    assert there.got == []


@pytest.mark.parametrize("kind", KINDS)
def test_private_address_fails_permanently_and_names_the_remedy(kind: str):
    with receiver() as there:
        result = send(kind, config_of(kind, there), way_out("192.0.2.7"))

    assert result.state == "failed"
    assert "alerting.allowed_hosts" in result.detail
    assert there.got == []


def test_settings_decide_where_alerts_may_go():
    """Without a way out of the test's own: what `send` makes of the settings."""
    with receiver() as there:
        states = [
            channels.send("webhook", {"url": there.url()}, NEW_ISSUE, settings, message_key=KEY).state
            for settings in (
                Settings(),
                SETTINGS,
                Settings(alerting=Alerting(allow_private=True)),
                Settings(alerting=Alerting(allowed_hosts=("10.0.0.0/8",))),
            )
        ]

    assert states == ["failed", "sent", "sent", "failed"]


@pytest.mark.parametrize("kind", [*channels.CHANNELS, "pager"])
@pytest.mark.parametrize("config", [{}, {"url": 7, "webhook_url": 7, "to": None, "bot_token": []}])
def test_config_that_cannot_be_used_is_a_failure_and_no_exception(kind: str, config: dict[str, Any]):
    assert send(kind, config).state == "failed"


def test_template_that_no_longer_renders_is_a_failure_and_nothing_is_sent():
    with receiver() as there:
        result = send("webhook", {"url": there.url(), "template": "{{ gone }}"})

    assert result == Result("failed", "the template does not give a body: 'gone' is undefined")
    assert there.got == []


class TestWebhookExtras:
    def sent(self, **config: Any) -> Any:
        with receiver() as there:
            assert send("webhook", {"url": there.url(), **config}).state == "sent"
        return there.got[0]

    @pytest.mark.parametrize("as_standard", [False, True])
    def test_signature_verifies_as_the_manual_says(self, as_standard: bool):
        key = b"0123456789abcdef"
        got = self.sent(signing_secret=f"whsec_{base64.b64encode(key).decode()}" if as_standard else key.decode())
        signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body

        assert got.headers["webhook-id"] == got.json["delivery_id"] == KEY
        assert got.headers["webhook-timestamp"] == str(AT_MS // 1000)
        assert got.headers["webhook-signature"] == (
            "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        )

    def test_signature_is_that_of_the_published_example(self):
        """From the Standard Webhooks specification's reference libraries."""
        from bloop.alerts.channels.webhook import signature

        secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'

        assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)["webhook-signature"] == (
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        )

    def test_without_a_secret_there_is_no_signature(self):
        assert not [name for name in self.sent().headers if name.startswith("webhook-")]

    def test_own_headers_and_body_are_sent(self):
        got = self.sent(
            headers={"Authorization": "Bearer hunter2", "X-Team": "shop"},
            template="{{ rule }}|{{ secrets.key }}",
            content_type="text/plain",
            secrets={"key": "hunter2"},
        )

        assert (got.headers["authorization"], got.headers["x-team"]) == ("Bearer hunter2", "shop")
        assert got.headers["content-type"] == "text/plain"
        assert got.body == b"New production issues|hunter2"


class TestMail:
    def settings(self, port: int, **smtp: Any) -> Settings:
        given = {"enabled": True, "host": NAME, "port": port, "username": USER, "password": PASSWORDS[0], **smtp}
        return Settings(alerting=SETTINGS.alerting, auth=SETTINGS.auth, smtp=Smtp(**given))

    def test_arrives_at_everybody_with_the_key_as_its_id(self, authority: Authority):
        with mail_server(starttls=authority.context(), sign_in=True) as server:
            config = {"to": "ops@example.com, dev@example.com"}
            result = send("email", config, way_out(trust=authority), self.settings(server.port))

        assert result == Result("sent", f"handed to {NAME}", 250, answer="250 OK")
        assert server.envelopes[0].rcpt_tos == ["ops@example.com", "dev@example.com"]
        assert server.envelopes[0].mail_from == "bloop@example.com"
        assert server.mails[0]["Message-ID"] == f"<{KEY}@example.com>"
        assert server.mails[0]["Date"].datetime.timestamp() == AT_MS / 1000
        assert server.greeted_as[-1] == "errors.example.com"

    def test_hostile_alert_arrives_as_one_mail_with_the_headers_it_should_have(self, authority: Authority):
        with mail_server(starttls=authority.context()) as server:
            settings = self.settings(server.port, username="", from_="Bl\u00f6\u00f6p <bloop@example.com>")
            out = way_out(trust=authority)
            result = channels.send("email", {"to": "a@example.com"}, HOSTILE, settings, message_key=KEY, out=out)

        (mail,) = server.mails
        assert result.state == "sent"
        assert server.envelopes[0].rcpt_tos == ["a@example.com"]
        assert mail["From"] == "Bl\u00f6\u00f6p <bloop@example.com>"
        assert "Bcc" not in mail

    def test_disabled_channel_is_reported_and_not_tried(self):
        assert send("email", {"to": "a@example.com"}) == Result(
            "skipped", "mail is switched off: smtp.enabled is false"
        )

    @pytest.mark.parametrize(("reply", "state"), [("451 greylisted", "retry"), ("550 no such user", "failed")])
    def test_refusal_decides(self, authority: Authority, reply: str, state: str):
        with mail_server(starttls=authority.context(), replies={"RCPT": reply}) as server:
            settings = self.settings(server.port, username="")
            result = send("email", {"to": "a@example.com"}, way_out(trust=authority), settings)

        assert result == Result(state, f"{NAME} answered {reply}", int(reply[:3]), answer=reply)

    def test_refused_recipients_are_named(self, authority: Authority):
        with mail_server(starttls=authority.context(), replies={"b@example.com": "550 gone"}) as server:
            settings = self.settings(server.port, username="")
            result = send("email", {"to": "a@example.com, b@example.com"}, way_out(trust=authority), settings)

        assert result == Result("sent", f"handed to {NAME}, which refused it for b@example.com", 250, answer="250 OK")

    def test_server_that_is_away_is_worth_another_try(self):
        with receiver(OK) as there:
            settings = self.settings(there.port)

        assert send("email", {"to": "a@example.com"}, way_out(), settings).state == "retry"


def test_nothing_secret_is_logged(caplog: pytest.LogCaptureFixture, authority: Authority):
    with caplog.at_level(logging.DEBUG):
        for kind in KINDS:
            for answers in (OK, answer(500), b"garbage", hang_up):
                outcome(kind, answers)
            send(kind, {})
        with mail_server(starttls=authority.context(), sign_in=True) as server:
            out, settings = way_out(trust=authority), TestMail().settings(server.port)
            send("email", {"to": "a@example.com"}, out, settings)
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("mail"))

    assert "hunter2" not in ours  # aiosmtpd's own log is the receiver's
