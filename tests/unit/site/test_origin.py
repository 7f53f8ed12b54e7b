from __future__ import annotations

import falcon
import pytest
from falcon import testing

from bloop.base.errors import Forbidden
from bloop.site.origin import check_origin

RP_ORIGIN = "https://errors.example.com"
HTTP_ORIGIN = "http://errors.lan:5332"


def request(method: str, headers: dict[str, str]) -> falcon.Request:
    return testing.create_req(method=method, headers={"Host": "box.lan:5332"} | headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},  # curl
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://box.lan:5332"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://box.lan:5332"},  # another name of this server
        {"Origin": RP_ORIGIN, "Sec-Fetch-Site": "cross-site"},
        {"Origin": "HTTPS://errors.example.com"},
    ],
)
@pytest.mark.parametrize("rp_origin", [RP_ORIGIN, HTTP_ORIGIN])
def test_writes_of_our_own_pages_and_of_tools_pass(rp_origin: str, headers: dict[str, str]) -> None:
    if headers.get("Origin", "").lower() == RP_ORIGIN and rp_origin != RP_ORIGIN:
        headers = headers | {"Origin": rp_origin}

    check_origin(request("POST", headers), rp_origin)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://box.lan:5332"},  # plain http in a home network: no Sec-Fetch-Site
        {"Origin": "http://BOX.lan:5332"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://box.lan:5332"},
    ],
)
def test_pages_over_plain_http_are_our_own_only_where_bloop_is_on_plain_http(headers: dict[str, str]) -> None:
    check_origin(request("POST", headers), HTTP_ORIGIN)

    with pytest.raises(Forbidden, match="another site"):
        check_origin(request("POST", headers), RP_ORIGIN)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://box.lan:5332"},
        {"Sec-Fetch-Site": "something-new"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://box.lan"},
        {"Origin": "http://box.lan:5332.evil.example"},
        {"Origin": "http://["},
        {"Origin": "null"},
        {"Origin": "null", "Host": ""},
        {"Origin": "", "Host": ""},
        {"Origin": ""},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("rp_origin", [RP_ORIGIN, HTTP_ORIGIN])
def test_writes_of_other_sites_are_refused(rp_origin: str, method: str, headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden, match="another site"):
        check_origin(request(method, headers), rp_origin)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_is_not_asked_for_its_origin(method: str) -> None:
    check_origin(request(method, {"Origin": "https://evil.example"}), RP_ORIGIN)
