"""How a person wants the pages to look in this browser: theme, width of the rail, height of rows.

The choice is a cookie, `bloop_look=theme.dark_rail.small_rows.tight`, so that the first paint is right and nothing
flashes. It says nothing about anybody, scripts may change it, and what it holds is checked against LOOKS when read.
`POST /look` changes it where there is no script.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import falcon

from bloop.base.errors import InvalidParameter
from bloop.site.bodies import read_form
from bloop.site.links import page_before

COOKIE = "bloop_look"
MAX_AGE_S = 31_536_000
LOOKS = {
    "theme": ("auto", "light", "dark"),
    "rail": ("wide", "small"),
    "rows": ("normal", "tight"),
    "keys": ("on", "off"),
}


@dataclass(frozen=True, slots=True)
class Look:
    """A value of LOOKS for each name; the first one is the default."""

    theme: str = "auto"
    rail: str = "wide"
    rows: str = "normal"
    keys: str = "on"

    @classmethod
    def from_request(cls, req: falcon.Request) -> Look:
        """The look that the cookie asks for; a value it may not hold is the default."""
        return cls.parse(req.cookies.get(COOKIE) or "")

    @classmethod
    def parse(cls, text: str) -> Look:
        pairs = (part.partition(".")[::2] for part in text.split("_"))
        return cls(**{name: value for name, value in pairs if value in LOOKS.get(name, ())})

    @property
    def attributes(self) -> str:
        """Attributes of <html>, only names and values of LOOKS: ` data-theme=dark`, `""` for the default."""
        return "".join(f" data-{name}={value}" for name, value in self._changed())

    @property
    def cookie(self) -> str:
        return "_".join(f"{name}.{value}" for name, value in self._changed())

    def _changed(self) -> list[tuple[str, str]]:
        pairs = ((f.name, getattr(self, f.name)) for f in fields(self))
        return [(name, value) for name, value in pairs if value != LOOKS[name][0]]


DEFAULT_LOOK = Look()


class ChangeLook:
    """POST /look: a form with some of the names of LOOKS; 303 back to the page it came from."""

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        form = read_form(req)
        changed = {name: form.get(name, "") or getattr(Look.from_request(req), name) for name in LOOKS}
        for name, value in changed.items():
            if value not in LOOKS[name]:
                raise InvalidParameter(name, f"must be one of {', '.join(LOOKS[name])}")
        cookie = Look(**changed).cookie
        age_s = MAX_AGE_S if cookie else 0
        resp.append_header("Set-Cookie", f"{COOKIE}={cookie}; SameSite=Lax; Path=/; Max-Age={age_s}")
        resp.status, resp.location = falcon.HTTP_303, page_before(req)
