"""GUARD-1 to GUARD-3: which addresses are allowed."""

from __future__ import annotations

import ipaddress

import pytest

from bloop.base.errors import OutboundRefused
from bloop.outbound.guard import Guard, embedded_ipv4, special_use
from bloop.outbound.urls import parse_url

PUBLIC = ["1.1.1.1", "93.184.216.34", "172.15.255.255", "172.32.0.1", "100.63.255.255", "2606:4700::1111", "2a00::1"]
PRIVATE = {
    "this machine": ["0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.254", "::", "::1"],
    "a private network": [
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "fc00::1",
        "fd12:3456::1",
        "fec0::1",
    ],
    "the local link": ["169.254.1.1", "fe80::1", "febf::1"],
    "own network": ["100.64.0.1", "100.127.255.255"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1"],
    "reserved": [
        "192.0.0.1",
        "198.18.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.88.99.1",
        "2001::1",
        "4000::1",
        "5f00::1",
    ],
    "examples": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
}
METADATA = ["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"]


def refusal(guard: Guard, host: str, *addresses: str) -> str:
    with pytest.raises(OutboundRefused) as caught:
        guard.check_addresses(host, map(ipaddress.ip_address, addresses or (host,)))
    return str(caught.value)


def allows(guard: Guard, host: str, *addresses: str) -> bool:
    guard.check_addresses(host, map(ipaddress.ip_address, addresses or (host,)))
    return True


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_sent_to(address):
    assert allows(Guard(), address)
    assert special_use(ipaddress.ip_address(address)) is None


@pytest.mark.parametrize(
    ("address", "reason"), [(address, reason) for reason, addresses in PRIVATE.items() for address in addresses]
)
def test_address_that_is_not_public_is_refused_with_what_it_is(address, reason):
    assert reason in refusal(Guard(), address)


@pytest.mark.parametrize(
    ("address", "inner"),
    [
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::ffff:a00:1", "10.0.0.1"),
        ("::127.0.0.1", "127.0.0.1"),
        ("::a9fe:a9fe", "169.254.169.254"),
        ("64:ff9b::10.0.0.1", "10.0.0.1"),
        ("64:ff9b::a9fe:a9fe", "169.254.169.254"),
        ("2002:7f00:1::", "127.0.0.1"),
        ("2002:c0a8:101::1", "192.168.1.1"),
    ],
)
def test_ipv6_that_wraps_a_private_ipv4_address_is_refused(address, inner):
    assert str(embedded_ipv4(ipaddress.ip_address(address))) == inner
    assert refusal(Guard(), address)


@pytest.mark.parametrize("address", ["::ffff:1.1.1.1", "64:ff9b::1.1.1.1"])
def test_ipv6_that_wraps_a_public_ipv4_address_is_sent_to(address):
    assert allows(Guard(), address)


def test_nat64_prefix_for_networks_of_ones_own_is_refused():
    assert refusal(Guard(), "64:ff9b:1::1.1.1.1")


@pytest.mark.parametrize("addresses", [("1.1.1.1", "10.0.0.1"), ("10.0.0.1", "1.1.1.1"), ("1.1.1.1", "::1")])
def test_one_private_address_among_public_ones_refuses_the_name(addresses):
    assert "both.example is" in refusal(Guard(), "both.example", *addresses)


@pytest.mark.parametrize(
    "address", [*PRIVATE["this machine"], *PRIVATE["a private network"], *PRIVATE["the local link"]]
)
def test_private_networks_open_when_the_operator_says_so(address):
    assert allows(Guard(allow_private=True), address)


@pytest.mark.parametrize("address", [*METADATA, "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"])
def test_cloud_credentials_stay_closed_until_they_are_named(address):
    assert "keeps credentials" in refusal(Guard(allow_private=True), address)
    assert allows(Guard(allowed_hosts=("169.254.0.0/16", *METADATA)), address)


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("mattermost.lan", "mattermost.lan"),
        ("Mattermost.LAN.", "mattermost.lan"),
        ("*.corp.example", "chat.corp.example"),
        ("*.corp.example", "a.b.corp.example"),
        ("10.0.0.5", "whatever.example"),
        ("10.0.0.0/8", "whatever.example"),
    ],
)
def test_allowed_name_address_or_network_opens_that_door(allowed, host):
    assert allows(Guard(allowed_hosts=(allowed,)), host, "10.0.0.5")


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("mattermost.lan", "evil.mattermost.lan"),
        ("mattermost.lan", "notmattermost.lan"),
        ("*.corp.example", "corp.example"),
        ("*.corp.example", "evilcorp.example"),
        ("10.0.0.6", "whatever.example"),
        ("192.168.0.0/16", "whatever.example"),
        ("fd00::/8", "whatever.example"),
    ],
)
def test_allowed_host_opens_no_other_door(allowed, host):
    assert refusal(Guard(allowed_hosts=(allowed,)), host, "10.0.0.5")


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "http://LOCALHOST./",
        "http://api.localhost/",
        "http://127.1/",
        "http://2130706433/",
        "http://[::1]/",
    ],
)
def test_what_is_private_by_its_spelling_is_refused_when_it_is_typed_in(url):
    with pytest.raises(OutboundRefused, match="this machine"):
        Guard().check_host(parse_url(url).host)


def test_name_is_not_looked_up_when_it_is_typed_in():
    Guard().check_host("nowhere.invalid")


def test_localhost_may_be_typed_in_where_it_is_allowed():
    Guard(allow_private=True).check_host("localhost")
    Guard(allowed_hosts=("localhost",)).check_host("localhost")
    Guard(allowed_hosts=("127.0.0.0/8",)).check_host("127.0.0.1")


def test_refusal_says_which_setting_can_help():
    assert refusal(Guard(), "10.0.0.1") == (
        "10.0.0.1 is in a private network, not a public address; alerting.allowed_hosts can allow it"
    )


@pytest.mark.parametrize(
    ("allowed", "host", "address", "may_quote"),
    [
        ((), "hooks.example.com", "8.8.8.8", True),
        ((), "mattermost.lan", "192.168.1.4", False),
        ((), "mattermost.lan", "::ffff:192.168.1.4", False),
        (("mattermost.lan",), "mattermost.lan", "192.168.1.4", True),
        (("192.168.1.0/24",), "mattermost.lan", "192.168.1.4", True),
        (("*.corp.example",), "chat.corp.example", "10.0.0.1", True),
        (("*.corp.example",), "mattermost.lan", "10.0.0.1", False),
    ],
)
def test_answers_of_private_addresses_are_quoted_only_when_the_operator_named_them(allowed, host, address, may_quote):
    guard = Guard(allow_private=True, allowed_hosts=allowed)

    assert guard.may_quote(host, ipaddress.ip_address(address)) is may_quote
