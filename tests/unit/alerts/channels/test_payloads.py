"""CHANNEL-4: what each receiver is sent, word for word, and what strangers' text cannot do to it."""

from __future__ import annotations

import email
import email.policy
import html
import re
from typing import Any

import orjson
import pytest

from bloop.alerts.channels import discord, slack, teams, telegram, webhook
from bloop.alerts.channels import email as mail
from bloop.alerts.channels.text import one_line
from tests.unit.alerts.channels.samples import (
    AT_MS,
    DIGEST,
    ENDLESS,
    HOSTILE,
    ISSUE,
    KEY,
    NEW_ISSUE,
    THRESHOLD,
    endless,
)

CHAT = {"chat_id": "-100123", "bot_token": "1:x"}
UNSEEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f\ud800-\udfff]")


def strings(value: Any) -> list[str]:
    """Every text in a payload."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in strings(part)]


def mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


class TestSlack:
    def test_new_issue(self):
        head, line = "*[bloop alert: New production issues]*", "New in Shop: SHOP-12 TypeError: x is undefined"
        facts = ["Project: Shop", "Environment: production", "Release: 1.4.2", "Source: api", "Where: cart.total"]
        facts += ["Events: 1,470, 3 people", "First seen: 2023-11-14 21:13 UTC"]

        assert slack.payload(NEW_ISSUE) == {
            "text": f"{head}\n{line}",
            "blocks": [
                {"type": "section", "text": mrkdwn(head)},
                {"type": "section", "text": mrkdwn(line)},
                {"type": "context", "elements": [*map(mrkdwn, facts)]},
                {"type": "section", "text": mrkdwn("<https://errors.example.com/issues/SHOP-12|Open SHOP-12>")},
            ],
            "unfurl_links": False,
            "unfurl_media": False,
        }

    def test_digest_lists_what_happened_and_how_much_more(self):
        assert slack.payload(DIGEST)["text"].splitlines()[1:] == [
            "17 new issues in the last minute",
            "• SHOP-13 KeyError: 'id' (12 events)",
            "• SHOP-14 OSError: gone (3 events)",
            "• and 14 more",
        ]

    def test_hostile_text_is_no_link_and_calls_nobody(self):
        sent = slack.payload(HOSTILE)
        texts = [text for text in strings(sent) if text != "<https://errors.example.com/issues/SHOP-12|Open SHOP-12>"]

        assert not [text for text in texts if "<" in text or ">" in text or "](" in text]
        assert not [text for text in texts if re.search(r"@\w", text)]
        assert "&lt;!channel&gt;" in sent["text"]
        assert "&amp;amp;" in sent["text"]

    @pytest.mark.parametrize("character", ENDLESS)
    def test_longest_message_fits_slacks_limits(self, character: str):
        sent = slack.payload(endless(character))
        sections = [block["text"]["text"] for block in sent["blocks"] if block["type"] == "section"]
        elements = [element for block in sent["blocks"] if block["type"] == "context" for element in block["elements"]]

        assert len(sent["blocks"]) <= 50
        assert len(elements) <= 10
        assert max(map(len, [*sections, *(element["text"] for element in elements)])) <= 3000
        assert len(sent["text"]) <= 40_000


class TestDiscord:
    def test_threshold(self):
        assert discord.payload(THRESHOLD) == {
            "username": "bloop",
            "embeds": [
                {
                    "title": r"\[bloop alert\: Busy\]",
                    "description": r"47 events in Shop within 1 h, more than 20",
                    "color": 0xC0392B,
                    "timestamp": "2023-11-14T22:13:20+00:00",
                    "fields": [
                        {"name": "Project", "value": "Shop", "inline": True},
                        {"name": "Window", "value": "47 events in 1 h, 12 in the previous 1 h", "inline": True},
                    ],
                    "url": "https://errors.example.com/?project=shop",
                }
            ],
            "allowed_mentions": {"parse": []},
        }

    def test_hostile_text_is_no_markdown(self):
        sent = discord.payload(HOSTILE)
        written = [sent["embeds"][0]["title"], sent["embeds"][0]["description"]]
        written += [field["value"] for field in sent["embeds"][0]["fields"]]

        for text in written:
            assert not set(re.sub(r"\\[^A-Za-z0-9\s]", "", text)) & set("\\*_`~|<>[]()#@:")
        assert sent["allowed_mentions"] == {"parse": []}

    @pytest.mark.parametrize("character", ENDLESS)
    def test_longest_message_fits_discords_limits(self, character: str):
        embed = discord.payload(endless(character))["embeds"][0]
        texts = [embed["title"], embed["description"]]
        texts += [text for field in embed["fields"] for text in (field["name"], field["value"])]

        assert len(embed["title"]) <= 256
        assert len(embed["description"]) <= 4096
        assert max(len(field["value"]) for field in embed["fields"]) <= 1024
        assert sum(map(len, texts)) <= 6000
        assert not [text for text in texts if re.search(r"(?<!\\)(\\\\)*\\…?$", text)], "ends in half an escape"


class TestTelegram:
    def test_new_issue(self):
        assert telegram.payload(CHAT | {"thread_id": "7"}, NEW_ISSUE) == {
            "chat_id": "-100123",
            "message_thread_id": 7,
            "text": "<b>[bloop alert: New production issues]</b>\n"
            "New in Shop: SHOP-12 TypeError: x is undefined\n"
            "Project: Shop\n"
            "Environment: production\n"
            "Release: 1.4.2\n"
            "Source: api\n"
            "Where: cart.total\n"
            "Events: 1,470, 3 people\n"
            "First seen: 2023-11-14 21:13 UTC\n"
            '<a href="https://errors.example.com/issues/SHOP-12">Open SHOP-12</a>',
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }

    def test_hostile_text_is_no_markup_and_calls_nobody(self):
        text = telegram.payload(CHAT, HOSTILE)["text"]

        assert re.findall(r"<[^>]*>", text) == [
            "<b>",
            "</b>",
            '<a href="https://errors.example.com/issues/SHOP-12">',
            "</a>",
        ]
        assert not re.search(r"@\w", text)

    @pytest.mark.parametrize("character", ENDLESS)
    def test_longest_message_fits_telegrams_limit(self, character: str):
        text = html.unescape(re.sub(r"<[^>]*>", "", telegram.payload(CHAT, endless(character))["text"]))

        assert len(text.encode("utf-16-le")) // 2 <= 4096
        assert text.endswith("…"), "the link is there even when facts are not"


class TestTeams:
    def test_digest(self):
        (attachment,) = teams.payload(DIGEST)["attachments"]
        card = attachment["content"]
        lines = [block["inlines"][0]["text"] for block in card["body"]]

        assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        assert lines == [
            "[bloop alert: New production issues]",
            "17 new issues in the last minute",
            "• SHOP-13 KeyError: 'id' (12 events)",
            "• SHOP-14 OSError: gone (3 events)",
            "• and 14 more",
            "Project: Shop",
        ]
        assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Open bloop", "url": DIGEST.url}]

    def test_hostile_text_stands_only_in_runs_that_are_no_markdown(self):
        card = teams.payload(HOSTILE)["attachments"][0]["content"]

        assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
        assert {inline["type"] for block in card["body"] for inline in block["inlines"]} == {"TextRun"}

    @pytest.mark.parametrize("character", ENDLESS)
    def test_longest_message_fits_teams_limit(self, character: str):
        assert len(orjson.dumps(teams.payload(endless(character)))) <= 28 * 1024


class TestMail:
    def written(self, message: Any) -> Any:
        made = mail.mail(
            message, "bloop <bloop@example.com>", ["ops@example.com", "dev@example.com"], key=KEY, at_s=AT_MS // 1000
        )
        return email.message_from_bytes(made.as_bytes(), policy=email.policy.default)

    def test_new_issue(self):
        letter = self.written(NEW_ISSUE)

        assert dict(letter.items()) == {
            "From": "bloop <bloop@example.com>",
            "To": "ops@example.com, dev@example.com",
            "Subject": "[bloop alert] New production issues: SHOP-12 TypeError: x is undefined",
            "Date": "Tue, 14 Nov 2023 22:13:20 -0000",
            "Message-ID": f"<{KEY}@example.com>",
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
            "Content-Type": 'text/plain; charset="utf-8"',
            "Content-Transfer-Encoding": "quoted-printable",
            "MIME-Version": "1.0",
        }
        assert letter.get_content().splitlines() == [
            "New in Shop: SHOP-12 TypeError: x is undefined",
            "",
            "TypeError: x is undefined",
            "",
            "Project: Shop",
            "Environment: production",
            "Release: 1.4.2",
            "Source: api",
            "Where: cart.total",
            "Events: 1,470, 3 people",
            "First seen: 2023-11-14 21:13 UTC",
            "Fingerprint: a1b2c3d4e5f60718",
            "",
            "https://errors.example.com/issues/SHOP-12",
            "",
            "Sent by the bloop alert rule New production issues.",
        ]

    def test_hostile_text_adds_no_header_and_ends_no_mail(self):
        letter = self.written(HOSTILE)

        assert set(letter.keys()) == set(self.written(NEW_ISSUE).keys())
        assert len(letter.get_all("Subject")) == len(letter.get_all("To")) == 1
        assert "." not in letter.get_content().splitlines()
        assert len(str(letter["Subject"])) <= 180

    @pytest.mark.parametrize(
        "title",
        [
            "short",
            "just long enough to be folded at the white space that is nearest to seventy-six",
            "könnte nicht größer sein als überall sonst auch, und öfter",
            "💥" * 60,
            "x" * 130,
            "ü" * 130,
        ],
    )
    def test_subject_reads_as_it_was_meant_whatever_its_length_and_script(self, title: str):
        message = NEW_ISSUE._replace(issue=ISSUE._replace(title=title))

        assert str(self.written(message)["Subject"]) == f"[bloop alert] New production issues: SHOP-12 {title}"

    @pytest.mark.parametrize(
        "word", ["=?utf-8?q?a=0D=0ABcc:_all@example.com?=", "=?utf-8?b?DQpCY2M6IGFsbEBleGFtcGxlLmNvbQ==?="]
    )
    def test_encoded_word_in_an_error_message_is_not_decoded(self, word: str):
        letter = self.written(NEW_ISSUE._replace(issue=ISSUE._replace(title=f"a {word}")))

        assert "Bcc" not in letter
        assert str(letter["Subject"]).endswith(word.replace("=?", "= ?"))

    def test_same_delivery_has_the_same_message_id_however_often_it_is_tried(self):
        assert self.written(NEW_ISSUE)["Message-ID"] == self.written(THRESHOLD)["Message-ID"]

    @pytest.mark.parametrize("character", ENDLESS)
    def test_longest_message_is_a_short_mail_of_short_lines(self, character: str):
        made = mail.mail(endless(character), "bloop@example.com", ["a@example.com"], key=KEY, at_s=0).as_bytes()

        assert len(made) <= 64 * 1024
        assert max(map(len, made.split(b"\n"))) <= 998


class TestWebhook:
    def test_new_issue(self):
        assert webhook.payload(NEW_ISSUE, KEY) == {
            "alert_rule": "New production issues",
            "rule": "New production issues",
            "rule_id": 1,
            "rule_type": "new_issue",
            "text": "New in Shop: SHOP-12 TypeError: x is undefined",
            "url": "https://errors.example.com/issues/SHOP-12",
            "timestamp": 1_700_000_000,
            "delivery_id": KEY,
            "project_id": "5f6c1d3e-8f0a-4d2b-9a51-3f1f7f0f6f10",
            "project": "Shop",
            "fingerprint": "a1b2c3d4e5f60718",
            "error_type": "TypeError",
            "message": "x is undefined",
            "environment": "production",
            "release": "1.4.2",
            "source": "api",
            "value": None,
            "threshold": None,
            "window_secs": None,
            "previous": None,
            "more": [],
            "more_count": 0,
            "issue": {
                "id": "SHOP-12",
                "title": "TypeError: x is undefined",
                "level": "error",
                "route": "POST /cart",
                "culprit": "cart.total",
                "event_count": 1470,
                "user_count": 3,
                "first_seen": 1_699_996_400,
                "last_seen": 1_700_000_000,
                "url": "https://errors.example.com/issues/SHOP-12",
            },
        }

    def test_alert_about_a_count_has_its_line_as_message(self):
        sent = webhook.payload(THRESHOLD, KEY)

        assert (sent["message"], sent["source"]) == (THRESHOLD.text, "bloop")
        assert (sent["value"], sent["threshold"], sent["window_secs"], sent["previous"]) == (47.0, 20.0, 3600, 12.0)
        assert {sent[name] for name in ("issue", "fingerprint", "error_type", "environment", "release")} == {None}

    def test_members_are_always_the_same(self):
        assert {tuple(webhook.payload(message, KEY)) for message in (NEW_ISSUE, THRESHOLD, DIGEST, HOSTILE)} == {
            tuple(webhook.payload(NEW_ISSUE, KEY))
        }


@pytest.mark.parametrize(
    "sent",
    [slack.payload(HOSTILE), discord.payload(HOSTILE), telegram.payload(CHAT, HOSTILE), teams.payload(HOSTILE)],
    ids=["slack", "discord", "telegram", "teams"],
)
def test_no_channel_passes_on_what_cannot_be_seen(sent: dict[str, Any]):
    assert not [text for text in strings(sent) if UNSEEN.search(text)]
    orjson.dumps(sent)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("  two\n\tlines \r\n", "two lines"),
        ("family 👨\u200d👩\u200d👧", "family 👨\u200d👩\u200d👧"),
        ("a\u202eb\u2066c\x00d\ud800e", "a b c d e"),
        ("", ""),
        ("\n" * 50, ""),
        ("x" * 30, "x" * 19 + "…"),
        ("x" * 20, "x" * 20),
    ],
)
def test_one_line_is_one_line_of_bounded_length(text: str, line: str):
    assert one_line(text, 20) == line
