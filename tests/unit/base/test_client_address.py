from __future__ import annotations

import pytest

from bloop.base.client_address import ClientAddresses, bucket_of, is_this_machine, parse_address

PROXY = "10.0.0.1"
TRUSTED = ("10.0.0.0/8", "192.0.2.1", "2001:db8:ffff::/48")


def address(peer: str = PROXY, trusted: tuple[str, ...] = TRUSTED, **headers: str) -> str:
    return ClientAddresses(trusted).of(
        {"REMOTE_ADDR": peer, **{f"HTTP_{name}": value for name, value in headers.items()}}
    )


def test_without_trusted_proxies_the_peer_is_the_client_whatever_the_headers_say():
    claims = {"X_FORWARDED_FOR": "1.2.3.4", "X_REAL_IP": "1.2.3.4", "FORWARDED": "for=1.2.3.4"}

    assert address("203.0.113.9", (), **claims) == "203.0.113.9"
    assert address("127.0.0.1", (), **claims) == "127.0.0.1"
    assert address("203.0.113.9", TRUSTED, **claims) == "203.0.113.9"


def test_trusted_proxy_that_forwards_nobody_is_the_client():
    assert address() == PROXY


@pytest.mark.parametrize(
    ("header", "client"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("198.51.100.7:4711", "198.51.100.7"),
        ("2001:db8::5", "2001:db8::5"),
        ("[2001:db8::5]:4711", "2001:db8::5"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("1.1.1.1, 198.51.100.7", "198.51.100.7"),
        ("1.1.1.1, 198.51.100.7, 10.9.9.9", "198.51.100.7"),
        ("1.1.1.1,198.51.100.7,10.9.9.9,192.0.2.1,2001:db8:ffff::1", "198.51.100.7"),
        ("10.5.5.5, 10.6.6.6", "10.5.5.5"),
        ("unknown, 10.6.6.6", "10.6.6.6"),
        ("unknown", PROXY),
        ("", PROXY),
        (" , ,", PROXY),
        ("<script>", PROXY),
    ],
)
def test_forwarded_for_gives_the_rightmost_address_that_is_no_proxy_of_ours(header, client):
    assert address(X_FORWARDED_FOR=header) == client


def test_forwarded_for_beats_real_ip_beats_forwarded():
    assert address(X_FORWARDED_FOR="1.1.1.1", X_REAL_IP="2.2.2.2", FORWARDED="for=3.3.3.3") == "1.1.1.1"
    assert address(X_REAL_IP="2.2.2.2", FORWARDED="for=3.3.3.3") == "2.2.2.2"
    assert address(FORWARDED="for=3.3.3.3") == "3.3.3.3"


@pytest.mark.parametrize(
    ("header", "client"),
    [
        ("for=198.51.100.7", "198.51.100.7"),
        ("For=198.51.100.7;proto=https;by=10.0.0.1", "198.51.100.7"),
        ('for="[2001:db8::5]:4711"', "2001:db8::5"),
        ("for=1.1.1.1, for=198.51.100.7, for=10.9.9.9", "198.51.100.7"),
        ("proto=https", PROXY),
        ("for=_hidden", PROXY),
    ],
)
def test_forwarded_header_is_read_as_the_rfc_writes_it(header, client):
    assert address(FORWARDED=header) == client


def test_unix_socket_is_a_proxy_by_nature():
    assert address("", (), X_FORWARDED_FOR="198.51.100.7") == "198.51.100.7"
    assert address("", ()) == ""


def test_only_the_right_end_of_an_endless_header_is_read():
    assert address(X_FORWARDED_FOR="9" * 100_000 + ", 198.51.100.7") == "198.51.100.7"


def test_mapped_ipv4_peer_is_recognised_as_trusted():
    assert address("::ffff:10.0.0.1", X_FORWARDED_FOR="198.51.100.7") == "198.51.100.7"


@pytest.mark.parametrize("text", ["", "x", "1.2.3", "1.2.3.4.5", "[", "[]", ":", "300.1.1.1", "1.2.3.4/8"])
def test_text_that_is_no_address_is_none(text):
    assert parse_address(text) is None


def test_bucket_is_the_ipv4_address_or_the_ipv6_network():
    assert bucket_of("198.51.100.7") == "198.51.100.7"
    assert bucket_of("::ffff:198.51.100.7") == "198.51.100.7"
    assert bucket_of("2001:db8:1:2:3:4:5:6") == bucket_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert bucket_of("fe80::1%eth0") == "fe80::/64"
    assert bucket_of("") == ""


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost", "localhost:5332", "LOCALHOST", "127.0.0.1:5332", "[::1]:5332", "[::1]"])
def test_a_process_of_this_machine_is_known_by_where_it_is_and_what_it_asks_for(peer: str, host: str):
    assert is_this_machine({"REMOTE_ADDR": peer, "HTTP_HOST": host, "HTTP_ACCEPT": "*/*"})


@pytest.mark.parametrize(
    "changed",
    [
        {"REMOTE_ADDR": "192.0.2.1"},
        {"REMOTE_ADDR": "172.17.0.1"},  # a container's host
        {"REMOTE_ADDR": ""},  # the Unix socket for proxies
        {"REMOTE_ADDR": "nonsense"},
        {"HTTP_HOST": "errors.example.com"},
        {"HTTP_HOST": "localhost.example.com"},
        {"HTTP_HOST": "127.0.0.1.example.com"},
        {"HTTP_HOST": "192.0.2.1:5332"},
        {"HTTP_HOST": ""},
        {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
        {"HTTP_X_FORWARDED_FOR": ""},
        {"HTTP_X_FORWARDED_PROTO": "https"},
        {"HTTP_X_FORWARDED_HOST": "localhost"},
        {"HTTP_FORWARDED": "for=127.0.0.1"},
        {"HTTP_X_REAL_IP": "127.0.0.1"},
        {"HTTP_VIA": "1.1 proxy"},
        {"HTTP_CF_CONNECTING_IP": "127.0.0.1"},
        {"HTTP_TRUE_CLIENT_IP": "127.0.0.1"},
        {"HTTP_X_CLIENT_IP": "127.0.0.1"},
        {"HTTP_X_ORIGINAL_FORWARDED_FOR": "127.0.0.1"},
    ],
)
def test_whatever_came_through_a_proxy_is_not_from_this_machine(changed: dict[str, str]):
    env = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:5332"}
    assert is_this_machine(env)

    assert not is_this_machine(env | changed)


def test_a_request_without_a_host_is_not_from_this_machine():
    assert not is_this_machine({"REMOTE_ADDR": "127.0.0.1"})
