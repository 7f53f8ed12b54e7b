"""A session sends what its profile says and accounts for all of it, against a server that is no bloop."""

from __future__ import annotations

import pytest

from bloop.bench import profiles, session
from bloop.bench.places import RemotePlace
from bloop.bench.profiles import Options, Profile
from bloop.bench.rendering import Target
from bloop.bench.session import WARM_UP, Session
from tests.unit.bench.stub_server import ACCEPTED, StubServer, answer

DROPPED = b'{"status":"dropped"}'


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ramp of three steps, after a warm-up that takes a tenth of a second."""
    monkeypatch.setattr(profiles, "RAMP_STEPS_MAX", 3)
    monkeypatch.setattr(session, "WARM_UP_PER_S", 4000.0)


def test_a_ramp_goes_down_from_a_rate_at_which_something_is_dropped() -> None:
    first_step = range(WARM_UP, WARM_UP + 80)
    server = StubServer(reply=lambda n: [answer(DROPPED if n in first_step else ACCEPTED)])
    said = []
    with server.serving():
        place = RemotePlace(Target(server.port, "s" * 32))
        options = Options(Profile.RAMP, 200.0, 0.4)
        found = Session(place, options, lambda text, seconds: said.append(text)).run()

    assert [round(step.rate) for step in found.steps][:2] == [200, 125]
    assert not found.steps[0].held
    assert found.accounts is not None
    assert found.accounts.dropped == 80
    assert found.accounts.sent == found.accounts.accepted + 80
    assert "--token-file" in found.accounts.note
    assert found.passed
    assert "200 events/s" in said


def test_what_the_server_refuses_is_counted_and_not_held() -> None:
    server = StubServer(reply=lambda n: [answer(b"{}", "200 OK" if n < 0 else "401 Unauthorized")])
    with server.serving():
        found = Session(
            RemotePlace(Target(server.port, "s" * 32)), Options(Profile.STEADY, 100.0, 0.2), lambda t, s: None
        ).run()

    (step,) = found.steps
    assert step.refused == {401: 20}
    assert not step.held
    assert found.accounts is not None
    assert (found.accounts.refused_requests, found.accounts.accepted) == (20, 0)
