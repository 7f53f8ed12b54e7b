from __future__ import annotations

import pytest
from gunicorn.config import Config

from bloop.base.errors import ConfigError
from bloop.http.dashboard_worker import make_dashboard_worker
from bloop.http.handoff import MESSAGE_BYTES_MAX
from bloop.http.ingest_worker import make_ingest_worker
from bloop.http.limits import KIB, RECV_BYTES, HttpLimits


def test_gunicorn_accepts_the_made_classes():
    for worker_class in (make_ingest_worker(), make_dashboard_worker("/run/bloop/handoff.sock")):
        config = Config()
        config.set("worker_class", worker_class)

        assert config.worker_class is worker_class


def test_each_made_class_has_its_own_settings():
    limits = HttpLimits(connections_max=7)
    small = make_ingest_worker(is_ours=lambda path: path == b"/a", handoff_path="/a.sock", limits=limits)
    default = make_ingest_worker()

    assert (small.limits.connections_max, small.handoff_path, small.is_ours(b"/b")) == (7, "/a.sock", False)
    assert (default.limits, default.handoff_path, default.is_ours(b"/b")) == (HttpLimits(), None, True)


def test_handing_over_needs_to_know_what_stays():
    with pytest.raises(ConfigError):
        make_ingest_worker(handoff_path="/a.sock")


@pytest.mark.parametrize("worker_class", [make_ingest_worker(), make_dashboard_worker("/a.sock")])
def test_tls_is_refused_before_the_first_fork(worker_class):
    config = Config()
    config.set("certfile", "cert.pem")

    with pytest.raises(ConfigError):
        worker_class.check_config(config, None)


def test_largest_hand_over_fits_one_message():
    with pytest.raises(AssertionError):
        HttpLimits(header_bytes_max=64 * KIB + 1)

    assert 64 * KIB + RECV_BYTES <= MESSAGE_BYTES_MAX
