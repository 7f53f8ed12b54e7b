from __future__ import annotations

import pytest

from bloop.accounts.sign_ins.browser import AGENT_LENGTH_MAX, agent_of
from bloop.base.client_address import client_network

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (f"{WINDOWS} {WEBKIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge on Windows"),
        (f"{MAC} {WEBKIT} Chrome/140.0.0.0 Safari/537.36 OPR/120.0.0.0", "Opera on macOS"),
        (f"{MAC} {WEBKIT} Version/18.0 Safari/605.1.15", "Safari on macOS"),
        (f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/140.0.0.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox on Linux"),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) {WEBKIT} CriOS/140.0 Mobile Safari/604.1",
         "Chrome on iPhone"),
        (f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {WEBKIT} Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        (f"Mozilla/5.0 (Linux; Android 15) {WEBKIT} SamsungBrowser/27.0 Chrome/125.0", "Samsung Internet on Android"),
        ("curl/8.5.0", "curl"),
        ("python-requests/2.32", "python-requests"),
        ("\x1b[31m evil\u202e", "[31m evil"),
        ("", ""),
        (None, ""),
    ],
)  # fmt: skip
def test_a_browser_is_called_what_people_call_it(user_agent: str | None, expected: str) -> None:
    assert agent_of(user_agent) == expected


def test_a_name_stays_short() -> None:
    assert len(agent_of("x" * 10_000)) == AGENT_LENGTH_MAX


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("", ""),
        ("unix:", ""),
    ],
)
def test_an_address_is_kept_as_its_network(address: str, expected: str) -> None:
    assert client_network(address) == expected
