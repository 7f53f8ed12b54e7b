"""Any HTTP endpoint: a documented JSON object, or a custom body from a template; signed if there is a secret.

The signature follows Standard Webhooks, HMAC-SHA256 over `id.timestamp.body` in `webhook-signature`, so libraries can
check it. `webhook-id`, `Idempotency-Key` and `delivery_id` are the same value, equal in every attempt.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

import orjson

from bloop.alerts.channels import template
from bloop.alerts.channels.delivery import JSON, Delivery
from bloop.alerts.channels.fields import HIDDEN, Fields, drop_empty, hidden, host_of, url_hint
from bloop.alerts.channels.results import Result, result_of_answer
from bloop.alerts.message import AlertMessage
from bloop.base.errors import InvalidField

SIGNING_SECRET_BYTES_MIN = 16
SIGNING_SECRET_PREFIX = "whsec_"  # noqa: S105 (Base64 follows)
HEADERS_MAX = 20
SECRETS_MAX = 10
NAMES = ("url", "signing_secret", "headers", "template", "content_type", "secrets")
# Headers that frame the message, route it or prove that it is ours.
OUR_HEADERS = frozenset(
    """accept-encoding connection content-encoding content-length content-type expect host idempotency-key keep-alive te
    trailer transfer-encoding upgrade user-agent webhook-id webhook-signature webhook-timestamp""".split()  # noqa: SIM905
)

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_SECRET_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_CONTENT_TYPE = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}(; ?charset=utf-8)?")


def check(fields: Fields) -> dict[str, Any]:
    fields.reject_unknown(*NAMES)
    config = {
        "url": fields.url("url"),
        "signing_secret": _signing_secret(fields),
        "headers": _headers(fields),
        "template": fields.text("template", chars_max=template.SOURCE_CHARS_MAX, lines=True),
        "content_type": _content_type(fields),
        "secrets": _secrets(fields),
    }
    if config["template"]:
        _try_template(config)
    elif config["content_type"] or config["secrets"]:
        name = "content_type" if config["content_type"] else "secrets"
        raise InvalidField(f"config.{name}", f"{name} goes with a template")
    return drop_empty(config)


def target(config: Mapping[str, Any]) -> str:
    return host_of(config["url"])


def redacted(config: Mapping[str, Any]) -> dict[str, Any]:
    return drop_empty(
        {
            "url": url_hint(config["url"]),
            "signing_secret": HIDDEN if config.get("signing_secret") else None,
            "headers": hidden(config.get("headers", ())),
            "template": config.get("template"),
            "content_type": config.get("content_type"),
            "secrets": hidden(config.get("secrets", ())),
        }
    )


def send(config: Mapping[str, Any], message: AlertMessage, delivery: Delivery) -> Result:
    try:
        body = render(config, payload(message, delivery.key))
    except template.BadTemplate as error:
        return Result("failed", f"the template does not give a body: {error}")
    headers = dict(config.get("headers", {}))
    if secret := config.get("signing_secret"):
        headers |= signature(secret, delivery.key, int(delivery.now_s()), body)
    answer = delivery.post(config["url"], body, headers, config.get("content_type") or JSON)
    return result_of_answer(answer, delivery.now_s())


def payload(message: AlertMessage, key: str) -> dict[str, Any]:
    """Every member is always present, null where it does not apply. Times are Unix seconds."""
    issue = message.issue
    return {
        "alert_rule": message.rule_name,
        "rule": message.rule_name,
        "rule_id": message.rule_id,
        "rule_type": message.rule_type,
        "text": message.text,
        "url": message.url,
        "timestamp": message.at_ms // 1000,
        "delivery_id": key,
        "project_id": message.project_id or None,
        "project": message.project_name or None,
        "fingerprint": issue.fingerprint if issue else None,
        "error_type": issue.error_type if issue else None,
        "message": issue.message if issue else message.text,
        "environment": issue.environment if issue else None,
        "release": issue.release if issue else None,
        "source": issue.source if issue else "bloop",
        "value": message.value,
        "threshold": message.threshold,
        "window_secs": message.window_secs,
        "previous": message.previous,
        "more": list(message.more),
        "more_count": message.more_count,
        "issue": _issue(message),
    }


def render(config: Mapping[str, Any], values: Mapping[str, Any]) -> bytes:
    """The body to send. Raises: BadTemplate."""
    if not config.get("template"):
        return orjson.dumps(values)
    text = template.render(config["template"], {**values, "secrets": config.get("secrets", {})})
    if _is_json(config.get("content_type") or JSON):
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise template.BadTemplate(f"it gives no valid JSON ({error}); put |tojson after each value") from None
    return text.encode("utf-8", "replace")


def signature(secret: str, key: str, at_s: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks."""
    signed = f"{key}.{at_s}.".encode() + body
    digest = hmac.new(_signing_key(secret), signed, hashlib.sha256).digest()
    return {
        "webhook-id": key,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _issue(message: AlertMessage) -> dict[str, Any] | None:
    issue = message.issue
    if issue is None:
        return None
    return {
        "id": issue.short_id,
        "title": issue.title,
        "level": issue.level,
        "route": issue.route,
        "culprit": issue.culprit,
        "event_count": issue.event_count,
        "user_count": issue.user_count,
        "first_seen": issue.first_seen_ms // 1000,
        "last_seen": issue.last_seen_ms // 1000,
        "url": issue.url,
    }


def _try_template(config: Mapping[str, Any]) -> None:
    """Refuse a template that fails on quotes, or on an alert without an issue, now rather than at night."""
    for sample in template.SAMPLES:
        try:
            render(config, payload(sample, "00000000-0000-4000-8000-000000000000"))
        except template.BadTemplate as error:
            about = "an issue" if sample.issue else "no issue (a count, a digest, a test)"
            raise InvalidField("config.template", f"for an alert about {about}: {error}") from None


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0]
    return kind == JSON or kind.endswith("+json")


def _signing_secret(fields: Fields) -> str | None:
    secret = fields.text("signing_secret", chars_max=256)
    if secret is None:
        return None
    try:
        key = _signing_key(secret)
    except binascii.Error:
        reason = f"after {SIGNING_SECRET_PREFIX} signing_secret must be Base64"
        raise InvalidField("config.signing_secret", reason) from None
    if len(key) < SIGNING_SECRET_BYTES_MIN:
        reason = f"signing_secret must have at least {SIGNING_SECRET_BYTES_MIN} bytes"
        raise InvalidField("config.signing_secret", reason)
    return secret


def _signing_key(secret: str) -> bytes:
    if secret.startswith(SIGNING_SECRET_PREFIX):
        return base64.b64decode(secret.removeprefix(SIGNING_SECRET_PREFIX), validate=True)
    return secret.encode()


def _headers(fields: Fields) -> dict[str, str]:
    headers = fields.texts("headers", count_max=HEADERS_MAX)
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in OUR_HEADERS or name.lower().startswith("proxy-"):
            raise InvalidField("config.headers", f"{name[:100]!r} is not a header one may set")
        if not _HEADER_VALUE.fullmatch(value):
            raise InvalidField(f"config.headers.{name}", f"the value of {name} must be one line of plain ASCII")
    return headers


def _secrets(fields: Fields) -> dict[str, str]:
    secrets = fields.texts("secrets", count_max=SECRETS_MAX)
    for name in secrets:
        if not _SECRET_NAME.fullmatch(name):
            raise InvalidField("config.secrets", f"{name[:100]!r} must be lower-case letters, digits and underscores")
    return secrets


def _content_type(fields: Fields) -> str | None:
    content_type = (fields.text("content_type", chars_max=150) or "").lower()
    if content_type and not _CONTENT_TYPE.fullmatch(content_type):
        raise InvalidField("config.content_type", "content_type must be like application/json or text/plain")
    return content_type or None
