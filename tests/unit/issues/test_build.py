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
from tests.unit.site.samples import an_event, an_issue, issue_page


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


def test_an_open_issue_can_be_closed_three_ways_and_a_closed_one_reopened() -> None:
    assert [a.status for a in issue_page().issue.actions] == ["resolved", "muted", "ignored"]
    assert [a.status for a in issue_page(status="regressed").issue.actions] == ["resolved", "muted", "ignored"]
    for status in ("resolved", "muted", "ignored"):
        assert [a.status for a in issue_page(status=status).issue.actions] == ["unresolved"]


def test_history_ends_with_the_first_time_it_was_seen() -> None:
    entries = issue_page().history

    assert [(e.text, e.release, e.person, e.who, e.place) for e in entries] == [
        ("Alert sent to", "", "Slack hooks.slack.com, Email ops@example.com", "New issues", ""),
        ("Resolved in", "1.0.5", "", "Ada", "through the API"),
        ("Came back in", "1.0.5", "", "", ""),
        ("Assigned to", "", "ada", "Ada", "through the API, from 192.0.2.0/24"),
        ("Resolved in the release after", "1.0.4", "", "Ada", "through the API"),
        ("First seen in", "1.0.0", "", "", ""),
    ]


def test_shares_are_parts_of_all_events_and_the_rest_is_counted() -> None:
    releases, environments, *others = issue_page().breakdowns

    assert [round(share.share, 3) for share in releases.shares] == [0.111] * 6
    assert releases.others == 3
    assert [(s.name, s.share, s.href) for s in environments.shares] == [
        ("production", 1.0, "/?project=shop&env=production&tab=all")
    ]
    assert [(b.title, b.sample, [(s.name, s.share, s.href) for s in b.shares]) for b in others] == [
        (
            "Sources",
            2,
            [("web", 0.5, "/?project=shop&tab=all&source=web"), ("api", 0.5, "/?project=shop&tab=all&source=api")],
        ),
        (
            "Levels",
            2,
            [
                ("error", 0.5, "/?project=shop&tab=all&q=level%3Aerror"),
                ("fatal", 0.5, "/?project=shop&tab=all&q=level%3Afatal"),
            ],
        ),
        ("HTTP status", 2, [("500", 1.0, "")]),
        ("App versions", 2, [("5.9", 1.0, "")]),
    ]


def test_metadata_that_is_no_object_is_shown_as_json_only() -> None:
    event = issue_page(event=an_event(metadata="[1,2]")).event

    assert event is not None
    assert (event.metadata, event.metadata_facts) == ([1, 2], ())


def test_the_event_is_not_repeated_where_the_head_of_the_page_says_the_same() -> None:
    same = issue_page(event=an_event(message="x is undefined")).event
    other = issue_page(event=an_event(message="x is undefined for user 7")).event
    long = issue_page(event=an_event(message="x" * 300), message="x" * 300).event

    assert same is not None
    assert other is not None
    assert long is not None
    assert (same.same_as_issue, other.same_as_issue, long.same_as_issue) == (True, False, False)


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
