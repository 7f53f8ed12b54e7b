"""U1 and U2: one strict reading of a URL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.errors import OutboundRefused
from bloop.outbound.urls import Destination, host_name, parse_url


@pytest.mark.parametrize(
    ("url", "destination"),
    [
        ("https://hooks.slack.com/services/T0/B0/x", ("https", "hooks.slack.com", 443, "/services/T0/B0/x")),
        ("http://example.com", ("http", "example.com", 80, "/")),
        ("HTTPS://EXAMPLE.COM:8443/A?b=C#fragment", ("https", "example.com", 8443, "/A?b=C")),
        ("https://example.com./x", ("https", "example.com", 443, "/x")),
        ("https://bücher.example/ä?ü=%20", ("https", "xn--bcher-kva.example", 443, "/%C3%A4?%C3%BC=%20")),
        ("https://[2606:4700::1111]:8443/", ("https", "2606:4700::1111", 8443, "/")),
        ("https://a_b.example/?x=@y:80", ("https", "a_b.example", 443, "/?x=@y:80")),
        ("http://localhost#@example.com/", ("http", "localhost", 80, "/")),
    ],
)
def test_url_is_read_into_what_is_connected_to_and_sent(url, destination):
    assert parse_url(url) == Destination(*destination)


@pytest.mark.parametrize(
    "spelling",
    [
        "2130706433",
        "0x7f000001",
        "0X7F.0.0.1",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "127.0.0.1.",
        "１２７.０.０.１",
        "127。0。0。1",
        "①②⑦.0.0.1",
    ],
)
def test_every_spelling_of_an_ipv4_address_comes_out_as_that_address(spelling):
    assert parse_url(f"http://{spelling}/").host == "127.0.0.1"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "must begin with http"),
        ("ftp://example.com/", "must begin with http"),
        ("file:///etc/passwd", "must begin with http"),
        ("gopher://127.0.0.1:6379/_", "must begin with http"),
        ("//example.com/", "must begin with http"),
        ("https://", "names no host"),
        ("https:///path", "names no host"),
        ("https://user@example.com/", "user or a password"),
        ("https://user:pass@example.com/", "user or a password"),
        ("https://example.com@127.0.0.1/", "user or a password"),
        ("https://:@example.com/", "user or a password"),
        ("https://example.com\\@127.0.0.1/", "backslashes"),
        ("https://exam ple.com/", "white space"),
        ("https://example.com/\r\nX-Evil: 1", "control characters"),
        ("https://exa\tmple.com/", "control characters"),
        ("https://example.com/\x7f", "control characters"),
        ("https://example.com:99999/", "no port 99999"),
        ("https://[::1/", "cannot be read"),
        ("https://[fe80::1%25eth0]/", "interface of this machine|cannot be read"),
        ("https://[fe80::1%eth0]/", "interface of this machine|cannot be read"),
        ("https://[::1].example.com/", "cannot be read"),
        ("https://a:b:80/", "cannot be read"),
        ("https://example.com:８０/", "cannot be read"),
        ("https://[127.0.0.1]/", "looks like one|cannot be read"),
        ("https://1.2.3.4.5/", "looks like one"),
        ("https://256.1.1.1/", "looks like one"),
        ("https://08.1.1.1/", "looks like one"),
        ("https://example.0x7f/", "looks like one"),
        ("https://example.com.127/", "looks like one"),
        ("https://a..example/", "neither a name nor an address"),
        ("https://-a.example/", "neither a name nor an address"),
        ("https://exa%6dple.com/", "neither a name nor an address"),
        ("https://example.com<script>/", "neither a name nor an address"),
        (f"https://{'a' * 64}.example/", "neither a name nor an address"),
        (f"https://{'a.' * 130}example/", "neither a name nor an address"),
        ("https://xn--\u2603\u2603--.example/", "can be looked up"),
        (f"https://example.com/{'a' * 2048}", "longer than 2048"),
    ],
)
def test_url_that_parsers_may_disagree_about_is_refused_with_a_reason(url, reason):
    with pytest.raises(OutboundRefused, match=reason):
        parse_url(url)


@pytest.mark.parametrize("port", [1, 21, 22, 25, 79, 81, 139, 442, 587, 1023, 2049, 5060, 6000, 6666, 6667, 10080])
def test_port_of_another_service_is_refused(port):
    with pytest.raises(OutboundRefused, match=f"port {port} "):
        parse_url(f"https://example.com:{port}/")


@pytest.mark.parametrize("port", [80, 443, 1024, 3000, 8080, 8443, 65535])
def test_port_that_web_servers_use_is_taken_with_either_scheme(port):
    assert {parse_url(f"{scheme}://example.com:{port}/").port for scheme in ("http", "https")} == {port}


def test_host_header_names_the_port_only_where_it_is_unusual():
    assert parse_url("https://example.com/").authority == "example.com"
    assert parse_url("https://example.com:80/").authority == "example.com:80"
    assert parse_url("http://[::1]:8080/").authority == "[::1]:8080"


@pytest.mark.parametrize("secret", ["https://u:hunter2@example.com/", "https://example.com:22/hunter2", "hunter2:///"])
def test_refusal_shows_nothing_of_the_url_but_its_port(secret):
    with pytest.raises(OutboundRefused) as caught:
        parse_url(secret)

    assert "hunter2" not in str(caught.value)


@given(st.text(max_size=60))
def test_whatever_is_typed_is_a_destination_or_refused(text):
    for url in (text, f"https://{text}/", f"https://example.com/{text}"):
        try:
            to = parse_url(url)
        except OutboundRefused:
            continue
        assert host_name(to.host) == to.host
        assert to.target.startswith("/")
        assert to.target.isascii()
        assert not any(character.isspace() for character in to.target)
