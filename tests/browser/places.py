"""Where every page of the route table is, in all its states. A test fails while a page is missing here."""

from __future__ import annotations

import re

from tests.browser.site import Site
from tests.unit.site.test_render import XSS

# Answers that are no pages.
MACHINES = (
    "/metrics",
    "/v1/",
    "/api/",
    "/assets/",
    "/health",
    "/ready",
    "/auth/status",
    "/projects/{slug}/setup/status",
    "/search/complete",
    "/search/issues",
    "/issues/bulk",  # leads to the list
    "/settings/alerts",  # leads to where alerts are now
    "/issues.",
    "/issues/{ref}.",
    "/issues/{ref}/events/{event_id:int}.",
)

# By route. Words in braces: an open issue of a project, an event, a link.
PLACES: dict[str, list[str]] = {
    "/": [
        "/?project=web-shop&tab=all&environment=production&sort=events",
        "/?project=hostile",
        "/?q=is:closed",
        "/?project=empty",
        "/?project=web-shop&tab=muted",
        "/?tab=firing",
        "/?q=nothing-is-called-so&release=x",
    ],
    "/search": [
        "/search?t=30d",
        "/search?t=30d&project=checkout-api&q=http:500",
        "/search?project=hostile",
        "/search?q=request:nope",
        "/search?q=reqest:nope",
    ],
    "/issues/{ref}": [
        "{issue web-shop}",
        "{issue worker}",
        "{issue android-app}",
        "{issue ios-app}",
        "{issue checkout-api}",
        "/issues/HOSTILE-1",
        f"/issues/HOSTILE-{len(XSS) + 1}",  # a word wider than any screen
        "{firing android-app}",
    ],
    "/issues/{ref}/events/{event_id:int}": ["{event web-shop}", "{event web-shop}?t=1h&env=nowhere"],
    "/issues/{ref}/events": [
        "{issue web-shop}/events?t=30d&list=q%3Dx",
        "{issue web-shop}/events?q=level:error&t=30d",
        "{issue web-shop}/events?q=user:nobody",
        "{issue web-shop}/events?q=usr:x",
        "/issues/HOSTILE-2/events",
    ],
    "/issues/{ref}/tags": ["{issue web-shop}/tags?t=30d", "{issue web-shop}/tags?release=x", "/issues/HOSTILE-1/tags"],
    "/issues/{ref}/activity": ["{issue web-shop}/activity", "/issues/HOSTILE-1/activity"],
    "/issues/delete": [
        "/issues/delete?project=web-shop",
        "/issues/delete?project=hostile&tab=all",
        "/issues/delete?q=zz",
    ],
    "/auth/login": ["/auth/login", "/auth/login?token=used", "{invite}", "{link}"],
    "/settings": ["/settings"],
    "/settings/account": ["/settings/account"],
    "/settings/appearance": ["/settings/appearance"],
    "/settings/views": ["/settings/views", "/settings/views?done=saved"],
    "/kit": ["/kit?t=7d"],
    "/settings/people": ["/settings/people"],
    "/settings/projects": ["/settings/projects"],
    "/settings/projects/{slug}": ["/settings/projects/hostile"],
    "/settings/tokens": ["/settings/tokens"],
    "/alerts": ["/alerts", "/alerts?done=deleted"],
    "/alerts/new": ["/alerts/new", "/alerts/new?project=web-shop&env=production"],
    "/alerts/{rule_id:int}": ["/alerts/1", "/alerts/4", "{rule}", "{rule test}"],
    "/alerts/channels": ["/alerts/channels"],
    "/alerts/channels/new": ["/alerts/channels/new"],
    "/alerts/channels/{channel_id:int}": ["/alerts/channels/1", "{channel}"],
    "/alerts/deliveries": ["/alerts/deliveries", "/alerts/deliveries?state=failed&rule_id=4"],
    "/projects/{slug}/setup": ["/projects/empty/setup", "/projects/hostile/setup"],
    "/settings/storage": ["/settings/storage", "/settings/storage?done=saved"],
    "/ledger": ["/ledger", "/ledger?project=hostile"],
    "/system": ["/system"],
}
ERRORS = ["/issues/NONE-1", "/nothing/here", "/?tab=none"]
FRESH = [
    "/",
    "/auth/login",
    "{set-up}",
    "/settings/account",
    "/settings/people",
    "/settings/projects",
    "/settings/tokens",
    "/settings/storage",
    "/alerts",
    "/alerts/new",
    "/alerts/channels",
    "/alerts/channels/new",
    "/alerts/deliveries",
]
FRESH += ["/ledger", "/system"]
EVERYWHERE = [*(place for places in PLACES.values() for place in places), *ERRORS]


_NAMED = re.compile(r"\{(issue|event|firing) ([\w-]+)\}(.*)")


def resolve(site: Site, place: str) -> str:
    named = _NAMED.fullmatch(place)
    if named is None:
        return site.links.get(place.strip("{}"), place)
    kind, project, rest = named.groups()
    if kind == "firing":
        return site.issue_called(project, "android.os.DeadObjectException") + rest
    return (site.open_issue(project) if kind == "issue" else site.event(project)) + rest
