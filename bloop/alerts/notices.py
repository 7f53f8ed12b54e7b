"""What the alert pages say after a change. The URL carries the key, never the sentence."""

from __future__ import annotations

NOTICES = {
    "made": "Rule created. Send a test to check its channels.",
    "made-silent": "Rule created. Add a channel: until then its alerts are only logged.",
    "saved": "Saved. Applies from now on.",
    "on": "Rule turned on.",
    "off": "Rule turned off. It will not alert about events that come while it is off.",
    "deleted": "Rule deleted. Its alerts stay in the delivery log.",
    "channel-made": "Channel created. Send a test to check it.",
    "channel-saved": "Channel saved.",
    "channel-deleted": "Channel deleted. Messages that waited for it were dismissed.",
    "retried": "Retrying.",
    "dismissed": "Dismissed.",
}
