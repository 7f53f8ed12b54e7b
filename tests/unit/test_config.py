"""Settings: what is read from where, what wins, and that every refusal names its key and shows no secret."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from bloop import config
from bloop.errors import ConfigError

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(toml: str | None = None, **environ: str) -> config.Settings:
    """Settings from the text of a file and `auth__hmac_secret="…"`-like variables, with a good secret unless given."""
    path = None
    if toml is not None:
        path = Path("given.toml")
        path.write_text(toml, encoding="utf-8")
    variables = {f"BLOOP__{name}": value for name, value in environ.items()}
    if not any("hmac_secret" in name.lower() for name in variables) and "hmac_secret" not in (toml or ""):
        variables["BLOOP__AUTH__HMAC_SECRET"] = SECRET
    return config.load(path, variables)


def refusal(toml: str | None = None, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(toml, **environ)
    return str(caught.value)


class TestSources:
    def test_defaults_are_the_documented_ones(self):
        settings = load()

        assert (settings.server.host, settings.server.port) == ("0.0.0.0", 5332)
        assert settings.database.path == "bloop.db"
        assert settings.ingest.max_payload_bytes == 32768
        assert settings.ingest.max_stack_bytes == 8192
        assert settings.ingest.max_metadata_bytes == 4096
        assert settings.ingest.max_message_bytes == 2048
        assert settings.ingest.max_batch_size == 50
        assert settings.ingest.channel_capacity == 8192
        assert (settings.pipeline.flush_interval_secs, settings.pipeline.flush_batch_size) == (2, 500)
        assert settings.pipeline.sample_reservoir_size == 5
        assert (settings.retention.raw_events_days, settings.retention.prune_interval_secs) == (7, 3600)
        assert (settings.auth.rp_id, settings.auth.rp_origin) == ("localhost", "http://localhost:5332")
        assert settings.auth.session_ttl_secs == 604_800
        assert (settings.rate_limit.per_second, settings.rate_limit.burst_size) == (100, 200)
        assert (settings.rate_limit.auth_per_second, settings.rate_limit.auth_burst_size) == (5, 10)
        assert settings.alerting.cooldown_secs == 900
        assert (settings.smtp.enabled, settings.smtp.port, settings.smtp.from_) == (False, 587, "bloop@example.com")
        assert (settings.analytics.enabled, settings.analytics.cache_ttl_secs) == (True, 60)
        assert settings.llm_tracing.default_content_storage == "none"
        assert settings.source == "defaults"

    def test_file_wins_over_defaults(self):
        settings = load('[server]\nport = 6000\n[smtp]\nfrom = "errors@example.org"')

        assert settings.server.port == 6000
        assert settings.smtp.from_ == "errors@example.org"
        assert settings.source == "given.toml"

    def test_environment_wins_over_file(self):
        assert load("[server]\nport = 6000", SERVER__PORT="7000").server.port == 7000

    def test_file_in_the_working_directory_is_found(self):
        Path("config.toml").write_text("[server]\nport = 6000", encoding="utf-8")

        assert load().server.port == 6000

    def test_named_file_that_is_missing_is_refused(self):
        with pytest.raises(ConfigError, match=r"--config: nowhere\.toml does not exist"):
            config.load("nowhere.toml", {})

    def test_file_can_be_named_in_the_environment(self):
        Path("config.toml").write_text("[server]\nport = 6000", encoding="utf-8")
        Path("other.toml").write_text("[server]\nport = 7000", encoding="utf-8")
        Path("given.toml").write_text("[server]\nport = 8000", encoding="utf-8")
        environ = {"BLOOP__AUTH__HMAC_SECRET": SECRET, "BLOOP_CONFIG": "other.toml"}

        found = config.load(None, environ)

        assert (found.server.port, found.source) == (7000, "other.toml")
        assert config.load("given.toml", environ).server.port == 8000
        with pytest.raises(ConfigError, match=r"BLOOP_CONFIG: nowhere\.toml does not exist"):
            config.load(None, environ | {"BLOOP_CONFIG": "nowhere.toml"})

    def test_variables_are_read_in_any_case(self):
        settings = config.load(None, {"bloop__Server__PORT": "7000", "bloop__auth__hmac_secret": SECRET})

        assert settings.server.port == 7000

    def test_other_variables_are_left_alone(self):
        assert load(None).server == config.load(None, {"BLOOP__AUTH__HMAC_SECRET": SECRET, "BLOOP_X": "1"}).server

    def test_given_defaults_give_way_to_file_and_environment(self):
        defaults = {"database": {"path": "given.db"}, "server": {"port": 1}}
        Path("config.toml").write_text("[server]\nport = 2", encoding="utf-8")

        settings = config.load(None, {"BLOOP__AUTH__HMAC_SECRET": SECRET}, defaults=defaults)
        assert (settings.database.path, settings.server.port) == ("given.db", 2)

        settings = config.load(
            None, {"BLOOP__AUTH__HMAC_SECRET": SECRET, "BLOOP__DATABASE__PATH": "e.db"}, defaults=defaults
        )
        assert settings.database.path == "e.db"

    def test_process_environment_is_the_default_source(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("BLOOP__AUTH__HMAC_SECRET", SECRET)
        monkeypatch.setenv("BLOOP__SERVER__PORT", "7001")

        assert config.load().server.port == 7001

    @pytest.mark.parametrize("text", ["[server\nport = 1", "port = = 1", "\ufffe"])
    def test_file_that_is_not_toml_is_refused_by_name(self, text: str):
        assert refusal(text).startswith("given.toml: cannot be read: ")

    def test_file_that_is_not_utf8_is_refused_by_name(self):
        Path("given.toml").write_bytes(b"\xff\xfe")

        with pytest.raises(ConfigError, match=r"given\.toml: cannot be read"):
            config.load("given.toml", {})

    def test_folder_in_place_of_a_file_is_refused(self):
        Path("folder.toml").mkdir()

        with pytest.raises(ConfigError, match=r"folder\.toml: cannot be read"):
            config.load("folder.toml", {})


class TestTypes:
    def test_text_is_read_by_the_type_of_its_key(self):
        settings = load(
            None,
            SERVER__PORT=" 7000 ",
            PIPELINE__FLUSH_INTERVAL_SECS="0.5",
            SMTP__ENABLED="yes",
            SERVER__TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8,",
        )

        assert settings.server.port == 7000
        assert settings.pipeline.flush_interval_secs == 0.5
        assert settings.smtp.enabled is True
        assert settings.server.trusted_proxies == ("127.0.0.1", "10.0.0.0/8")

    @pytest.mark.parametrize("text", ["true", "1", "YES", " on "])
    def test_words_for_true(self, text: str):
        assert load(None, SMTP__ENABLED=text).smtp.enabled is True

    @pytest.mark.parametrize("text", ["false", "0", "No", "off"])
    def test_words_for_false(self, text: str):
        assert load(None, ANALYTICS__ENABLED=text).analytics.enabled is False

    @pytest.mark.parametrize("digits", ["1" * 32, "1e" + "0" * 30, "true" + "0" * 30])
    def test_secret_that_looks_like_a_number_stays_text(self, digits: str):
        assert load(None, AUTH__HMAC_SECRET=digits).auth.hmac_secret == digits

    def test_whole_number_in_the_file_serves_as_a_fraction(self):
        interval = load("[pipeline]\nflush_interval_secs = 1").pipeline.flush_interval_secs

        assert interval == 1.0
        assert isinstance(interval, float)

    def test_list_in_the_file(self):
        assert load('[server]\ntrusted_proxies = ["::1"]').server.trusted_proxies == ("::1",)

    @pytest.mark.parametrize(
        ("toml", "said"),
        [
            ("[server]\nport = '6000'", "server.port: must be a whole number, not '6000'"),
            ("[server]\nport = 6000.0", "server.port: must be a whole number, not 6000.0"),
            ("[server]\nport = true", "server.port: must be a whole number, not True"),
            ("[smtp]\nenabled = 1", "smtp.enabled: must be true or false, not 1"),
            ("[smtp]\nhost = 1", "smtp.host: must be a string, not 1"),
            ("[pipeline]\nflush_interval_secs = true", "pipeline.flush_interval_secs: must be a number, not True"),
            ("[server]\ntrusted_proxies = '::1'", "server.trusted_proxies: must be a list of strings"),
            ("[server]\ntrusted_proxies = [1]", "server.trusted_proxies: must be a list of strings"),
        ],
    )
    def test_wrong_type_in_the_file_is_refused(self, toml: str, said: str):
        assert refusal(toml) == said

    @pytest.mark.parametrize(
        ("variable", "text", "said"),
        [
            ("SERVER__PORT", "six", "server.port: must be a whole number, not 'six'"),
            ("SERVER__PORT", "", "server.port: must be a whole number, not ''"),
            ("SERVER__PORT", "6000.5", "server.port: must be a whole number, not '6000.5'"),
            ("SMTP__ENABLED", "maybe", "smtp.enabled: must be true or false, not 'maybe'"),
            ("RATE_LIMIT__PER_SECOND", "fast", "rate_limit.per_second: must be a number, not 'fast'"),
        ],
    )
    def test_wrong_text_in_the_environment_is_refused(self, variable: str, text: str, said: str):
        assert refusal(None, **{variable: text}) == said


class TestRanges:
    @pytest.mark.parametrize(
        ("variable", "text", "said"),
        [
            ("SERVER__PORT", "0", "server.port: must be at least 1, not 0"),
            ("SERVER__PORT", "65536", "server.port: must be at most 65535, not 65536"),
            ("RATE_LIMIT__PER_SECOND", "-1", "rate_limit.per_second: must be at least 0, not -1.0"),
            ("RATE_LIMIT__PER_SECOND", "nan", "rate_limit.per_second: must be a finite number, not nan"),
            ("RATE_LIMIT__PER_SECOND", "inf", "rate_limit.per_second: must be a finite number, not inf"),
            ("RATE_LIMIT__BURST_SIZE", "0", "rate_limit.burst_size: must be at least 1, not 0"),
            ("INGEST__CHANNEL_CAPACITY", "1", "ingest.channel_capacity: must be at least 256, not 1"),
        ],
    )
    def test_value_out_of_range_is_refused(self, variable: str, text: str, said: str):
        assert refusal(None, **{variable: text}) == said

    def test_lane_too_small_for_the_largest_event_is_refused(self):
        large = {"INGEST__MAX_STACK_BYTES": "1048576"}

        said = refusal(None, INGEST__CHANNEL_CAPACITY="256", **large)

        assert said == "ingest.channel_capacity: must be at least 4152 for stacks and metadata this large"
        assert load(None, INGEST__CHANNEL_CAPACITY="4152", **large)
        assert load(None, INGEST__CHANNEL_CAPACITY="256")

    @pytest.mark.parametrize(
        ("section", "field"),
        [
            (section.name, field)
            for section in dataclasses.fields(config.Settings)
            if dataclasses.is_dataclass(section.default_factory)
            for field in dataclasses.fields(section.default_factory)
        ],
    )
    def test_every_default_is_in_its_own_range_and_documented(self, section: str, field: dataclasses.Field[object]):
        low, high = field.metadata["low"], field.metadata["high"]

        assert field.metadata["doc"]
        assert low is None or field.default >= low
        assert high is None or field.default <= high


class TestNames:
    @pytest.mark.parametrize(
        ("toml", "said"),
        [
            ("[servers]\nport = 1", "servers: unknown section in given.toml; known: alerting, analytics, auth, "),
            ("port = 1", "port: unknown section in given.toml"),
            ("server = 1", "server: must be a [section]"),
            ("[[server]]\nport = 1", "server: must be a [section]"),
            ("[server]\nprot = 1", "server.prot: unknown setting; known in [server]: host, port, "),
            ("[smtp]\nfrom_ = 'x'", "smtp.from_: unknown setting"),
            ("source = 'x'", "source: unknown section"),
        ],
    )
    def test_unknown_name_in_the_file_is_refused(self, toml: str, said: str):
        assert refusal(toml).startswith(said)

    @pytest.mark.parametrize(
        ("variable", "key"),
        [
            ("SERVER__PROT", "server.prot"),
            ("SERVERS__PORT", "servers.port"),
            ("SERVER__PORT__X", "server.port__x"),
            ("SERVER", "server."),
            ("", "."),
        ],
    )
    def test_unknown_variable_is_refused(self, variable: str, key: str):
        assert refusal(None, **{variable: "1"}) == (
            f"{key}: unknown setting (from the environment variable BLOOP__{variable})"
        )


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

    def test_secret_from_a_file_loses_its_line_end(self):
        Path("secret").write_text(SECRET + "\n", encoding="utf-8")

        assert load(None, AUTH__HMAC_SECRET_FILE="secret").auth.hmac_secret == SECRET

    def test_any_value_may_come_from_a_file(self):
        Path("port").write_text("7000\n", encoding="utf-8")

        assert load(None, SERVER__PORT_FILE="port").server.port == 7000

    def test_secret_file_that_cannot_be_read_names_key_and_file(self):
        assert refusal(None, AUTH__HMAC_SECRET_FILE="nowhere").startswith("auth.hmac_secret: cannot read nowhere: ")

    def test_secret_of_the_wrong_type_is_not_shown(self):
        assert refusal("[auth]\nhmac_secret = 12345678901234567890123456789012") == "auth.hmac_secret: must be a string"

    def test_description_hides_secrets_and_shows_the_rest(self):
        settings = load('[smtp]\npassword = "correct horse"\n[server]\nport = 6000')

        described = {key: value for key, value, _ in config.describe(settings)}

        assert SECRET not in str(described)
        assert "correct horse" not in str(described)
        assert described["auth.hmac_secret"] == "(32 characters, hidden)"
        assert described["server.port"] == 6000
        assert described["smtp.from"] == "bloop@example.com"

    def test_description_shows_that_a_secret_is_not_set(self):
        described = {key: value for key, value, _ in config.describe(load())}

        assert described["smtp.password"] == ""


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


class TestDerived:
    def test_two_databases_get_two_rings(self, tmp_path: Path):
        first = load(None, DATABASE__PATH=str(tmp_path / "a.db"))
        second = load(None, DATABASE__PATH=str(tmp_path / "b.db"))

        assert first.ring_name != second.ring_name
        assert first.ring_name.startswith("/bloop-")

    def test_one_database_has_one_ring_however_it_is_named(self, tmp_path: Path):
        (tmp_path / "data").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "data")

        names = {load(None, DATABASE__PATH=p).ring_name for p in ("data/x.db", f"{tmp_path}/data/x.db", "link/x.db")}

        assert len(names) == 1

    def test_home_is_understood_in_paths(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        monkeypatch.setenv("HOME", str(tmp_path))

        assert load(None, DATABASE__PATH="~/x.db").database_path == tmp_path / "x.db"

    def test_sockets_live_beside_the_database_unless_named(self, tmp_path: Path):
        beside = load(None, DATABASE__PATH=str(tmp_path / "d" / "x.db"))
        named = load(None, SERVER__RUN_DIR=str(tmp_path / "r"))

        assert beside.handoff_path == tmp_path / "d" / "run" / "handoff.sock"
        assert named.dashboard_path == tmp_path / "r" / "dashboard.sock"

    def test_workers_follow_the_cores_this_process_may_use(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})
        assert load().ingest_workers == 1
        assert load(None, SERVER__WORKERS="7").ingest_workers == 7

    def test_a_value_somebody_set_is_known_from_one_that_nobody_set(self):
        assert not load().is_set("server.threads")
        assert load(None, SERVER__THREADS="8").is_set("server.threads"), "also when it is the default"
        assert config.Settings(server=config.Server(threads=3)).is_set("server.threads")
        assert not config.Settings().is_set("ingest.channel_capacity")

    def test_ring_has_room_for_every_worker_the_dashboard_and_a_newcomer(self):
        settings = load(None, SERVER__WORKERS="3", INGEST__CHANNEL_CAPACITY="1000")

        assert settings.lane_count == 5
        assert settings.lane_bytes == 1000 * 1024


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


class TestAlerting:
    HOOK = "https://hooks.example.com/hunter2"

    def both(self, *files: str, **environ: str) -> tuple[str, str]:
        """Slack's and the other webhook, from variables named as they are."""
        for name in files:
            Path(name).write_text(f"https://{name}.example.com/\n", encoding="utf-8")
        alerting = config.load(None, {"BLOOP__AUTH__HMAC_SECRET": SECRET, **environ}).alerting
        return alerting.slack_webhook_url, alerting.webhook_url

    def test_webhooks_have_short_names_too(self):
        assert self.both(BLOOP_SLACK_WEBHOOK_URL=self.HOOK) == (self.HOOK, "")
        assert self.both(BLOOP_WEBHOOK_URL=self.HOOK) == ("", self.HOOK)
        assert self.both(bloop_webhook_url=self.HOOK) == ("", self.HOOK)

    def test_webhooks_may_come_from_files_by_their_short_names(self):
        assert self.both("a", "b", BLOOP_SLACK_WEBHOOK_URL_FILE="a", BLOOP_WEBHOOK_URL_FILE="b") == (
            "https://a.example.com/",
            "https://b.example.com/",
        )

    def test_long_name_wins_over_short_name(self):
        long, short = "https://long.example.com/", "https://short.example.com/"

        assert self.both(BLOOP_WEBHOOK_URL=short, BLOOP__ALERTING__WEBHOOK_URL=long) == ("", long)
        assert self.both("a", BLOOP_WEBHOOK_URL_FILE="a", BLOOP__ALERTING__WEBHOOK_URL=long) == ("", long)

    @pytest.mark.parametrize(
        "url", ["hooks.example.com/hunter2", "ftp://hunter2", "https://", "https://a@hunter2/", "https://a b/hunter2"]
    )
    @pytest.mark.parametrize("variable", ["BLOOP_SLACK_WEBHOOK_URL", "BLOOP_WEBHOOK_URL"])
    def test_webhook_that_is_no_url_is_refused_without_showing_it(self, variable: str, url: str):
        with pytest.raises(ConfigError) as caught:
            self.both(**{variable: url})

        assert str(caught.value).startswith(f"alerting.{variable.removeprefix('BLOOP_').lower()}: must be a URL")
        assert "hunter2" not in str(caught.value)

    def test_webhooks_are_hidden_in_descriptions(self):
        settings = load(None, ALERTING__SLACK_WEBHOOK_URL=self.HOOK, ALERTING__WEBHOOK_URL=self.HOOK)

        assert "hunter2" not in str(config.describe(settings))

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


def test_settings_cannot_be_changed_after_loading():
    settings = load()

    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.server.port = 1


def test_no_key_ends_like_a_file_variable():
    keys = [key for key, _, _ in config.describe(load())]

    assert not [key for key in keys if key.endswith("_file")]
