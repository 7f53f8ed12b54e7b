"""What is read from where, and what wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from bloop.base import config
from bloop.base.errors import ConfigError
from tests.unit.base.config.loads import SECRET, load, refusal


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


class TestFiles:
    def test_secret_from_a_file_loses_its_line_end(self):
        Path("secret").write_text(SECRET + "\n", encoding="utf-8")

        assert load(None, AUTH__HMAC_SECRET_FILE="secret").auth.hmac_secret == SECRET

    def test_any_value_may_come_from_a_file(self):
        Path("port").write_text("7000\n", encoding="utf-8")

        assert load(None, SERVER__PORT_FILE="port").server.port == 7000

    def test_secret_file_that_cannot_be_read_names_key_and_file(self):
        assert refusal(None, AUTH__HMAC_SECRET_FILE="nowhere").startswith("auth.hmac_secret: cannot read nowhere: ")


class TestShortNames:
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


def test_no_key_ends_like_a_file_variable():
    keys = [key for key, _, _ in config.describe(load())]

    assert not [key for key in keys if key.endswith("_file")]


class TestMalformedFile:
    """Whatever a file holds: one line that names the file and line, or the setting; never a traceback."""

    @pytest.mark.parametrize(
        ("toml", "said"),
        [
            (
                "x = " + "[" * 2000 + "]" * 2000,
                "given.toml: cannot be read: arrays or tables nested too deeply (at line 1)",
            ),
            ("[server]\nport = " + "{a=" * 2000 + "1" + "}" * 2000, "nested too deeply (at line 2)"),
            ("[server]\nport = " + "9" * 5000, "given.toml: cannot be read: a number has 5000 digits (at line 2)"),
            ("[server]\nport = 0x" + "f" * 5000, "server.port: must be at most 65535, not a value too long to show"),
            ("[rate_limit]\nper_second = " + "9" * 400, "rate_limit.per_second: must be a finite number"),
            ('[server]\nport = "' + "a" * 100_000 + '"', "server.port: must be a whole number, not 'aaa"),
            ("[server]\nport = " + "[" * 300 + "]" * 300, "server.port: must be a whole number, not [[["),
            ('["a\\nb"]\nx = 1', r"a\nb: unknown section in given.toml"),
            ('[server]\n"\\u001b[31mred" = 1', r"server.\x1b[31mred: unknown setting"),
            ("[[server]]\nport = 1", "server: must be a [section]"),
            ('[server]\nhost = "a\\u0000b"', "server.host: 'a\\x00b' is not an address or host name"),
            ('[server]\nhost = "a..b"', "server.host: 'a..b' is not an address or host name"),
            ('[ingest]\nspill_dir = "a\\u0000b"', "ingest.spill_dir: cannot be used"),
            ('[backup]\ndirectory = "~no-such-user/x"', "backup.directory: cannot be used"),
            ('[server]\nrun_dir = "a\\u0000b"', "server.run_dir: cannot be used"),
            ('[database]\npath = "' + "a" * 5000 + '"', "database.path: cannot be used: File name too long"),
        ],
    )
    def test_it_is_refused_in_one_short_line(self, toml: str, said: str):
        line = refusal(toml)

        assert said in line
        assert line.isprintable()
        assert len(line) <= 601

    def test_bytes_that_are_not_utf8_are_refused_in_one_line(self):
        Path("config.toml").write_bytes(b"[server]\nhost = '\xff'")

        with pytest.raises(ConfigError, match=r"^config\.toml: cannot be read: "):
            config.load(None, {})

    def test_folder_in_place_of_a_file_is_refused_in_one_line(self):
        Path("config.toml").mkdir()

        with pytest.raises(ConfigError, match=r"^config\.toml: cannot be read: Is a directory$"):
            config.load(None, {})
