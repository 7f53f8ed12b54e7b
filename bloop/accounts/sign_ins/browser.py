"""How a session is recognised by its owner: the browser, the system, and roughly from where. Pure."""

from __future__ import annotations

import ipaddress
import re

AGENT_LENGTH_MAX = 60
V4_PREFIX = 24
V6_PREFIX = 48

# The first that matches names it: most browsers also claim to be the ones below them.
_BROWSERS = (
    (re.compile(r"\bEdg(?:e|A|iOS)?/"), "Edge"),
    (re.compile(r"\b(?:OPR|Opera)/"), "Opera"),
    (re.compile(r"\bVivaldi/"), "Vivaldi"),
    (re.compile(r"\bSamsungBrowser/"), "Samsung Internet"),
    (re.compile(r"\b(?:Firefox|FxiOS)/"), "Firefox"),
    (re.compile(r"\b(?:Chrome|CriOS|HeadlessChrome|Chromium)/"), "Chrome"),
    (re.compile(r"\bSafari/"), "Safari"),
    (re.compile(r"^curl/"), "curl"),
)
_SYSTEMS = (
    (re.compile(r"\b(?:iPhone|iPod)\b"), "iPhone"),
    (re.compile(r"\biPad\b"), "iPad"),
    (re.compile(r"\bAndroid\b"), "Android"),
    (re.compile(r"\bCrOS\b"), "ChromeOS"),
    (re.compile(r"\bWindows\b"), "Windows"),
    (re.compile(r"\bMac(?:intosh| OS X)\b"), "macOS"),
    (re.compile(r"\bLinux\b|\bX11\b"), "Linux"),
)


def agent_of(user_agent: str | None) -> str:
    """`Firefox on Linux`; the first word of what nobody knows; `""` without any."""
    text = (user_agent or "")[:512]
    browser = next((name for pattern, name in _BROWSERS if pattern.search(text)), "")
    system = next((name for pattern, name in _SYSTEMS if pattern.search(text)), "")
    if browser and system:
        return f"{browser} on {system}"
    words = "".join(c for c in text if c.isprintable()).split("/")[0].split()
    return (browser or system or " ".join(words))[:AGENT_LENGTH_MAX]


def network_of(address: str) -> str:
    """The network an address is in, `192.0.2.0/24`: enough to recognise, too little to follow somebody with."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network(f"{ip}/{V4_PREFIX if ip.version == 4 else V6_PREFIX}", strict=False))
