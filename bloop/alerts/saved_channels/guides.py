"""What each type of channel needs: help and fields of its form, and the one field that a rule's form asks for. Pure."""

from __future__ import annotations

from typing import NamedTuple

PAIRS = "pairs"  # kind of a field: a textarea of “Name: value” lines
SECRET_KINDS = ("password", "url", PAIRS)  # never sent back to a form


class FieldSpec(NamedTuple):
    """A field of a channel's form."""

    name: str
    label: str
    kind: str = "text"
    placeholder: str = ""
    required: bool = True


class ChannelGuide(NamedTuple):
    """Help and form fields for a channel type."""

    help: str
    fields: tuple[FieldSpec, ...]

    @property
    def only_field(self) -> FieldSpec | None:
        """The field that suffices for such a channel; None when it needs more than one."""
        required = [spec for spec in self.fields if spec.required]
        return required[0] if len(required) == 1 else None


GUIDES = {
    "slack": ChannelGuide(
        "In Slack, create an app with Incoming Webhooks, add a webhook for the channel and copy its URL.",
        (FieldSpec("webhook_url", "Webhook URL", "url", "https://hooks.slack.com/services/…"),),
    ),
    "email": ChannelGuide(
        "Sent through the server in the [smtp] section of the configuration.",
        (FieldSpec("to", "Email address", "email", "oncall@example.com"),),
    ),
    "webhook": ChannelGuide(
        "A JSON POST to your URL. With a secret it is signed, so that the receiver can verify the sender.",
        (
            FieldSpec("url", "URL", "url", "https://example.com/hooks/bloop"),
            FieldSpec("signing_secret", "Secret for the signature, 16 characters or more", "password", required=False),
            FieldSpec(
                "headers", "Headers, one “Name: value” per line", PAIRS, "Authorization: Bearer …", required=False
            ),
            FieldSpec("template", "Body template, instead of bloop's JSON", "area", required=False),
            FieldSpec("content_type", "Content type of the body", placeholder="application/json", required=False),
        ),
    ),
    "discord": ChannelGuide(
        "In Discord, open the channel's settings, Integrations, Webhooks. Create a webhook and copy its URL.",
        (FieldSpec("webhook_url", "Webhook URL", "url", "https://discord.com/api/webhooks/…"),),
    ),
    "telegram": ChannelGuide(
        "Create a bot with @BotFather, add it to the chat and look up the chat ID.",
        (
            FieldSpec("bot_token", "Bot token", "password", "123456:ABC…"),
            FieldSpec("chat_id", "Chat ID", placeholder="-1001234567890"),
        ),
    ),
    "teams": ChannelGuide(
        "In Teams, add the workflow “Post to a channel when a webhook request is received” and copy its URL.",
        (FieldSpec("webhook_url", "Webhook URL", "url", "https://….logic.azure.com/workflows/…"),),
    ),
}
