from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import falcon
import pytest
from falcon import testing
from hypothesis import given
from hypothesis import strategies as st

from bloop.site.look import LOOKS, ChangeLook, Look


@given(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in LOOKS.items()}))
def test_a_look_survives_its_cookie(values: dict[str, str]) -> None:
    assert Look.parse(Look(**values).cookie) == Look(**values)


@given(st.text(max_size=80))
def test_a_cookie_of_any_text_asks_for_nothing_but_known_looks(text: str) -> None:
    look = Look.parse(text)

    assert all(getattr(look, name) in values for name, values in LOOKS.items())
    assert set(look.attributes) <= set("abcdefghijklmnopqrstuvwxyz-= ")


def test_the_default_needs_neither_cookie_nor_attributes() -> None:
    assert (Look().cookie, Look().attributes) == ("", "")
    assert Look(theme="dark", rows="tight").attributes == " data-theme=dark data-rows=tight"


def post(form: str, cookie: str = "", referer: str = "") -> testing.Result:
    app: Any = falcon.App()
    app.add_route("/look", ChangeLook())
    app.add_error_handler(Exception, lambda req, resp, error, params: setattr(resp, "status", falcon.HTTP_400))
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": cookie,
        "Referer": referer,
        "Host": "b.example",
    }
    return testing.TestClient(app).simulate_post("/look", body=form, headers={k: v for k, v in headers.items() if v})


def test_a_form_changes_what_it_names_and_leads_back() -> None:
    result = post("theme=dark", "bloop_look=rail.small", "https://b.example/issues/A-1?t=7d")

    assert result.headers["location"] == "/issues/A-1?t=7d"
    assert result.headers["set-cookie"].startswith("bloop_look=theme.dark_rail.small;")


@pytest.mark.parametrize("referer", ["https://evil.example/x", "https://b.example//evil.example/x", "nonsense"])
def test_it_never_leads_to_another_site(referer: str) -> None:
    location = post("theme=dark", referer=referer).headers["location"]

    assert location.startswith("/")
    assert not location.startswith("//")


def test_an_unknown_value_is_refused() -> None:
    assert post("theme=pink").status_code == 400


def test_the_default_clears_the_cookie() -> None:
    assert "Max-Age=0" in post("theme=auto", "bloop_look=theme.dark").headers["set-cookie"]


def test_a_request_without_a_cookie_has_the_default() -> None:
    assert Look.from_request(SimpleNamespace(cookies={})) == Look()  # type: ignore[arg-type]
