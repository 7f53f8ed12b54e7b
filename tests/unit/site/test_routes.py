"""What the table of routes says about bodies before any resource is asked."""

from __future__ import annotations

import pytest

from bloop.auth.access import OPEN
from bloop.site.bodies import JSON_BYTES_MAX
from bloop.site.routes import Routes


class Anything:
    def on_get(self, req, resp, **_):
        pass

    on_post = on_put = on_get


@pytest.mark.parametrize(
    ("method", "path", "bytes_max"),
    [
        ("GET", "/uploads/a", 0),
        ("HEAD", "/uploads/a", 0),
        ("TRACE", "/form", JSON_BYTES_MAX),  # the app says 405
        ("GET", "/posts-only", JSON_BYTES_MAX),
        ("GET", "/no/such/route", JSON_BYTES_MAX),
        ("POST", "/uploads/a", 5_000_000),
        ("POST", "/form", JSON_BYTES_MAX),
        ("POST", "/no/such/route", JSON_BYTES_MAX),
        ("PATCH", "/form", JSON_BYTES_MAX),
    ],
)
def test_body_is_bounded_by_method_and_route(method, path, bytes_max):
    routes = Routes()
    routes.add("/uploads/{name}", Anything(), body_bytes_max=5_000_000, GET=OPEN, POST=OPEN, PUT=OPEN)
    routes.add("/posts-only", Anything(), POST=OPEN)
    routes.add("/form", Anything(), GET=OPEN, POST=OPEN, PUT=OPEN)

    assert routes.body_bytes_max(method, path) == bytes_max
