"""How to send a first event: a script that works when pasted, with the project's key left out."""

from __future__ import annotations

import shlex
from urllib.parse import quote

from bloop.issues.contexts import Setup

# The signature is computed over the very bytes that are sent; `sed` cuts off the label openssl prints before the hex.
_SCRIPT = """\
BLOOP_KEY='paste the project key here'

BODY='{{"timestamp":'$(date +%s)',"source":"api","environment":"production","release":"1.0.0",\
"error_type":"TestError","message":"Hello from the command line"}}'
SIGNATURE=$(printf '%s' "$BODY" | openssl dgst -sha256 -hmac "$BLOOP_KEY" | sed 's/^.* //')

curl -sS {url} \\
  -H 'Content-Type: application/json' \\
  -H "X-Project-Key: $BLOOP_KEY" \\
  -H "X-Signature: $SIGNATURE" \\
  --data-binary "$BODY"
"""

_DEFAULT_NOTE = "Run this on the server; it prints the key of this project."
_OTHER_NOTE = "It was printed when the project was made. If it is lost, this makes a new one and ends the old one."
DEFAULT = "default"  # the slug whose key `bloop welcome` prints


def setup(project_slug: str, project_name: str, origin: str) -> Setup:
    """The text of an empty project's page; `origin` is the address of this bloop, without a path."""
    is_default = project_slug == DEFAULT
    url = f"{origin.rstrip('/')}/v1/ingest"
    return Setup(
        project=project_name,
        page_href=f"/projects/{quote(project_slug)}/setup",
        ingest_url=url,
        key_command="bloop welcome" if is_default else f"bloop project rotate-key {project_slug}",
        key_note=_DEFAULT_NOTE if is_default else _OTHER_NOTE,
        script=_SCRIPT.format(url=shlex.quote(url)),
    )
