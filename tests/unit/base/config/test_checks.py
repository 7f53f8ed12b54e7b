"""What has to fit together: the secret, the origin, places, and where alerts go."""

from __future__ import annotations

from pathlib import Path

import pytest

from bloop.base import config
from bloop.base.errors import ConfigError
from tests.unit.base.config.loads import SECRET, load, refusal


class TestSecret:
    @pytest.mark.parametrize(
        ("secret", "said"),
        [
            ("", "auth.hmac_secret: is not set; make one with: openssl rand -hex 32"),
            ("change-me-in-production", "auth.hmac_secret: is a placeholder from the documentation; "),
            ("Your-Secret-Here", "auth.hmac_secret: is a placeholder from the documentation; "),
            ("x" * 31, "auth.hmac_secret: has 31 characters, at least 32 are needed; "),
            (SECRET + "\n", "auth.hmac_secret: starts or ends with white space"),
            (" " * 40, "auth.hmac_secret: starts or ends with white space"),
        ],
    )
    def test_poor_secret_is_refused(self, secret: str, said: str):
        assert refusal(None, AUTH__HMAC_SECRET=secret).startswith(said)

    def test_missing_secret_is_refused(self):
        with pytest.raises(ConfigError, match=r"auth\.hmac_secret: is not set"):
            config.load(None, {})

    def test_command_that_signs_nothing_needs_no_secret(self):
        assert config.load(None, {}, secret_required=False).auth.hmac_secret == ""

    def test_poor_secret_is_refused_even_where_none_is_needed(self):
        with pytest.raises(ConfigError, match=r"auth\.hmac_secret"):
            config.load(None, {"BLOOP__AUTH__HMAC_SECRET": "short"}, secret_required=False)

    def test_secret_of_32_characters_is_taken(self):
        assert load(None, AUTH__HMAC_SECRET="x" * 32).auth.hmac_secret == "x" * 32


class TestOrigin:
    def test_origin_follows_the_port_unless_named(self):
        assert load(None, SERVER__PORT="7000").auth.rp_origin == "http://localhost:7000"
        assert load(None, SERVER__PORT="7000", AUTH__RP_ORIGIN="http://localhost").auth.rp_origin == "http://localhost"

    @pytest.mark.parametrize(
        "origin",
        [
            "errors.example.com",
            "ftp://localhost",
            "http://",
            "http://localhost/app",
            "http://[::1",
            "http://localhost:99999",
            "http://localhost?x=1",
            "http://localhost#x",
            "http://me@localhost",
        ],
    )
    def test_origin_that_no_browser_would_send_is_refused(self, origin: str):
        assert refusal(None, AUTH__RP_ORIGIN=origin).startswith("auth.rp_origin: must be ")

    @pytest.mark.parametrize("rp_id", ["", "https://localhost", "localhost:5332", "localhost/x"])
    def test_relying_party_that_is_no_host_is_refused(self, rp_id: str):
        assert refusal(None, AUTH__RP_ID=rp_id).startswith("auth.rp_id: must be a host name")

    @pytest.mark.parametrize("rp_id", ["errors.example.com", "example.com", "Errors.Example.com"])
    def test_relying_party_may_be_the_host_or_a_domain_above(self, rp_id: str):
        settings = load(None, AUTH__RP_ID=rp_id, AUTH__RP_ORIGIN="https://errors.example.com")

        assert settings.https

    @pytest.mark.parametrize("rp_id", ["localhost", "rrors.example.com", "a.errors.example.com"])
    def test_relying_party_of_another_host_is_refused(self, rp_id: str):
        said = refusal(None, AUTH__RP_ID=rp_id, AUTH__RP_ORIGIN="https://errors.example.com")

        assert said == "auth.rp_id: must be the host of auth.rp_origin, 'errors.example.com', or a domain above it"

    def test_plain_http_is_not_https(self):
        assert not load().https


class TestPlaces:
    @pytest.mark.parametrize("name", ["mine", "/mine", "a.b-c_9"])
    def test_ring_name_is_taken_with_and_without_slash(self, name: str):
        assert load(None, RING__NAME=name).ring_name == "/" + name.lstrip("/")

    @pytest.mark.parametrize("name", ["/", "a/b", "..", ".hidden", "sp ace", "x" * 201, "ring\n"])
    def test_ring_name_that_is_no_file_name_is_refused(self, name: str):
        assert refusal(None, RING__NAME=name).startswith("ring.name: must be a single name")

    def test_folder_too_deep_for_unix_sockets_is_refused(self, tmp_path: Path):
        deep = tmp_path / ("x" * 120)

        assert refusal(None, DATABASE__PATH=str(deep / "x.db")).startswith("server.run_dir: ")
        assert load(None, DATABASE__PATH=str(deep / "x.db"), SERVER__RUN_DIR=str(tmp_path / "r"))

    @pytest.mark.parametrize(
        ("path", "said"),
        [
            ("", "database.path: must name a file"),
            (".", "database.path: "),
            ("~nobody-of-that-name/x.db", "database.path: cannot be used: "),
        ],
    )
    def test_database_path_that_is_no_file_is_refused(self, path: str, said: str):
        assert refusal(None, DATABASE__PATH=path).startswith(said)

    def test_database_path_with_a_nul_byte_is_refused(self):
        assert refusal('[database]\npath = "a\\u0000b"').startswith("database.path: cannot be used: ")

    @pytest.mark.parametrize("network", ["10.0.0.0/8", "::1", "192.0.2.7/24"])
    def test_proxy_may_be_an_address_or_a_network(self, network: str):
        assert load(None, SERVER__TRUSTED_PROXIES=network).server.trusted_proxies == (network,)

    @pytest.mark.parametrize("network", ["localhost", "10.0.0.0/33", "*"])
    def test_proxy_that_is_neither_is_refused(self, network: str):
        assert refusal(None, SERVER__TRUSTED_PROXIES=network) == (
            f"server.trusted_proxies: {network!r} is not an address or network"
        )

    @pytest.mark.parametrize(
        "variable", ["SERVER__LOG_FORMAT", "SERVER__LOG_LEVEL", "LLM_TRACING__DEFAULT_CONTENT_STORAGE"]
    )
    def test_closed_choice_lists_what_it_takes(self, variable: str):
        assert "must be one of " in refusal(None, **{variable: "loud"})

    def test_lane_too_small_for_the_largest_event_is_refused(self):
        large = {"INGEST__MAX_STACK_BYTES": "1048576", "SERVER__WORKERS": "2"}

        said = refusal(None, INGEST__CHANNEL_CAPACITY="512", **large)

        assert said == "ingest.channel_capacity: must be at least 8304 for 4 lanes, and stacks and metadata this large"
        assert load(None, INGEST__CHANNEL_CAPACITY="8304", **large)
        assert load(None, INGEST__CHANNEL_CAPACITY="512", SERVER__WORKERS="2")


class TestAlerting:
    @pytest.mark.parametrize(
        "url", ["hooks.example.com/hunter2", "ftp://hunter2", "https://", "https://a@hunter2/", "https://a b/hunter2"]
    )
    @pytest.mark.parametrize("variable", ["BLOOP_SLACK_WEBHOOK_URL", "BLOOP_WEBHOOK_URL"])
    def test_webhook_that_is_no_url_is_refused_without_showing_it(self, variable: str, url: str):
        with pytest.raises(ConfigError) as caught:
            config.load(None, {"BLOOP__AUTH__HMAC_SECRET": SECRET, variable: url})

        assert str(caught.value).startswith(f"alerting.{variable.removeprefix('BLOOP_').lower()}: must be a URL")
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize(
        "host", ["mattermost.lan", "*.corp.example", "localhost", "10.0.0.0/8", "::1", "192.0.2.7/24"]
    )
    def test_allowed_host_may_be_a_name_an_address_or_a_network(self, host: str):
        assert load(None, ALERTING__ALLOWED_HOSTS=host).alerting.allowed_hosts == (host,)

    @pytest.mark.parametrize("host", ["*", "https://mattermost.lan", "10.0.0.0/33", "a b", "*.", "mattermost.lan:8065"])
    def test_allowed_host_that_is_none_of_these_is_refused(self, host: str):
        assert refusal(None, ALERTING__ALLOWED_HOSTS=host) == (
            f"alerting.allowed_hosts: {host!r} is not a host name, address or network"
        )

    @pytest.mark.parametrize(
        "sender", ["bloop", "", "a@b@c", "bloop <bloop@example.com", "\u00fc@example.com", "a@b\nBcc: c@d"]
    )
    def test_sender_that_is_no_address_is_refused_where_mail_is_sent(self, sender: str):
        assert refusal(None, SMTP__ENABLED="true", SMTP__FROM=sender).startswith("smtp.from: must be an address")
        assert load(None, SMTP__FROM=sender).smtp.from_ == sender

    @pytest.mark.parametrize("sender", ["bloop@example.com", "Bl\u00f6\u00f6p <bloop@example.com>"])
    def test_sender_may_have_a_name(self, sender: str):
        assert load(None, SMTP__ENABLED="true", SMTP__FROM=sender).smtp.from_ == sender
