"""Types and ranges: what the text of a value means, and how one that will not do is refused."""

from __future__ import annotations

import dataclasses

import pytest

from bloop.base import config
from tests.unit.base.config.loads import load, refusal


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

    def test_secret_of_the_wrong_type_is_not_shown(self):
        assert refusal("[auth]\nhmac_secret = 12345678901234567890123456789012") == "auth.hmac_secret: must be a string"


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
