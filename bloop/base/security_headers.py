"""The headers that tell a browser what it may do with an answer, the same for every server of bloop."""

from __future__ import annotations

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # why not no-referrer: site/origin.py
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Once on https, browsers use only https for a year. Not for subdomains: those are not ours.
_HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}


def security_headers(*, https: bool) -> dict[str, str]:
    """The headers of every answer; `https`: the installation is reached over https."""
    return _SECURITY_HEADERS | (_HTTPS_ONLY if https else {})
