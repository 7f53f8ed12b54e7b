"""Routes of the ledger."""

from __future__ import annotations

from bloop.auth.access import PAGE, credential
from bloop.auth.scopes import Scope
from bloop.ledger.api import LedgerApi
from bloop.ledger.views import LedgerView
from bloop.site.deps import Deps
from bloop.site.routes import Routes
from bloop.site.settings_nav import LEDGER

_READ = credential(Scope.ERRORS_READ)


def mount(routes: Routes, deps: Deps) -> None:
    api = LedgerApi(deps)
    routes.add("/v1/ledger", api, GET=_READ)
    routes.add("/v1/rejections", api, suffix="rejections", GET=_READ)
    routes.add(LEDGER.href, LedgerView(deps), GET=PAGE)
