from __future__ import annotations

import hashlib
import hmac
import json
import subprocess

import pytest

from bloop.issues.culprit import place, where_of
from bloop.issues.listing.first_event import setup
from bloop.site.assets import Assets
from bloop.site.links import issue_href
from tests.unit.site.samples import an_issue


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        ("at CartStore.total (https://shop.example/assets/cart.<hash>.js)", "CartStore.total (cart.<hash>.js)"),
        ("at com.acme.Home.onCreate(Home.kt)", "com.acme.Home.onCreate(Home.kt)"),
        ('File "/srv/api/checkout/payments.py",, in charge', "charge (checkout/payments.py)"),
        ('File "/srv/api/run.py"', "api/run.py"),
        ("app/jobs/invoice_job.rb:in 'InvoiceJob#perform'", "InvoiceJob#perform (jobs/invoice_job.rb)"),
        (
            "0   Wallet   CheckoutViewModel.apply(coupon:) (Checkout.swift)",
            "CheckoutViewModel.apply(coupon:) (Checkout.swift)",
        ),
        ("something of no known shape", "something of no known shape"),
        ("", ""),
    ],
)
def test_a_frame_is_shortened_to_what_names_the_place(frame: str, text: str) -> None:
    assert place(frame) == text


def test_where_falls_back_to_route_and_screen_and_never_repeats_the_message() -> None:
    assert where_of(an_issue(culprit=None)) == "/cart"
    assert where_of(an_issue(culprit="x is undefined")) == "/cart"
    assert where_of(an_issue(culprit=None, route=None, screen="Cart")) == "Cart"
    assert where_of(an_issue(culprit=None, route=None)) == ""


def test_a_short_id_stays_one_path_segment() -> None:
    assert issue_href("A/../B-1") == "/issues/A%2F..%2FB-1"


def test_the_setup_script_signs_the_body_it_sends() -> None:
    """The script as it is shown, with `curl` replaced by something that prints its arguments."""
    shown = setup("shop", "Shop", "https://errors.example/")
    script = shown.script.replace("paste the project key here", "bloop_" + "a1" * 32)
    spy = 'curl() { for argument in "$@"; do printf "%s\\n" "$argument"; done; }\n'

    done = subprocess.run(["/bin/sh", "-c", spy + script], capture_output=True, text=True, check=True, timeout=20)

    arguments = done.stdout.splitlines()
    body = arguments[arguments.index("--data-binary") + 1]
    expected = hmac.new(b"bloop_" + b"a1" * 32, body.encode(), hashlib.sha256).hexdigest()
    assert f"X-Signature: {expected}" in arguments
    assert "https://errors.example/v1/ingest" in arguments
    assert json.loads(body)["error_type"] == "TestError"


def test_assets_are_named_by_their_content_and_packed_when_it_pays() -> None:
    assets = Assets()

    for name in ("kit.css", "frame.js", "geist.woff2", "icon.svg"):
        url = assets.url(name)
        asset = assets[url.removeprefix("/assets/")]
        assert asset.url == url
        assert asset.gzipped is None or len(asset.gzipped) < len(asset.body)
    assert assets.url("kit.css") == Assets().url("kit.css")
    assert "kit.css" not in assets
