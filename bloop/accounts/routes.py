"""Routes of accounts: sign-in and sign-out, your account, all accounts."""

from __future__ import annotations

from bloop.accounts.passkeys.api import AcceptInvite, AddPasskey, Login, Register
from bloop.accounts.people.api import Invites, Reset, Users
from bloop.accounts.sign_ins.api import SignIn
from bloop.accounts.views import Account, People
from bloop.auth.access import ADMIN, ADMIN_PAGE, OPEN, PAGE, SESSION
from bloop.site.deps import Deps
from bloop.site.routes import Routes
from bloop.site.settings_nav import ACCOUNT, PEOPLE


def mount(routes: Routes, deps: Deps) -> None:
    _mount_sign_in(routes, deps)
    _mount_admin_api(routes, deps)
    _mount_pages(routes, deps)


def _mount_sign_in(routes: Routes, deps: Deps) -> None:
    sign_in = SignIn(deps)
    routes.add("/auth/login", sign_in, GET=OPEN, POST=OPEN)
    routes.add("/auth/logout", sign_in, suffix="logout", POST=OPEN)
    routes.add("/auth/status", sign_in, suffix="status", GET=OPEN)
    for path, ceremony, need in (
        ("/auth/register", Register(deps), OPEN),
        ("/auth/invite/register", AcceptInvite(deps), OPEN),
        ("/auth/login", Login(deps), OPEN),
        ("/auth/passkeys", AddPasskey(deps), SESSION),
    ):
        routes.add(f"{path}/start", ceremony, suffix="start", POST=need)
        routes.add(f"{path}/finish", ceremony, suffix="finish", POST=need)


def _mount_admin_api(routes: Routes, deps: Deps) -> None:
    users, invites = Users(deps), Invites(deps)
    routes.add("/v1/admin/users", users, GET=ADMIN)
    routes.add("/v1/admin/users/{user_id}", users, suffix="one", DELETE=ADMIN)
    routes.add("/v1/admin/users/{user_id}/role", users, suffix="role", PUT=ADMIN)
    routes.add("/v1/admin/users/{user_id}/link", users, suffix="link", POST=ADMIN)
    routes.add("/v1/admin/invites", invites, GET=ADMIN, POST=ADMIN)
    routes.add("/v1/admin/invites/{invite_id}", invites, suffix="one", DELETE=ADMIN)
    routes.add("/v1/admin/reset", Reset(deps), POST=ADMIN)


def _mount_pages(routes: Routes, deps: Deps) -> None:
    account, people = Account(deps), People(deps)
    routes.add(ACCOUNT.href, account, GET=PAGE)
    routes.add(f"{ACCOUNT.href}/set-up", account, suffix="set_up", POST=ADMIN_PAGE)
    routes.add(f"{ACCOUNT.href}/passkeys/{{passkey_id}}/name", account, suffix="passkey_name", POST=PAGE)
    routes.add(f"{ACCOUNT.href}/passkeys/{{passkey_id}}/remove", account, suffix="passkey_remove", POST=PAGE)
    routes.add(f"{ACCOUNT.href}/sign-ins/{{handle}}/end", account, suffix="sign_in_end", POST=PAGE)
    routes.add(f"{ACCOUNT.href}/sign-ins/end-others", account, suffix="end_others", POST=PAGE)
    routes.add(PEOPLE.href, people, GET=ADMIN_PAGE)
    routes.add(f"{PEOPLE.href}/{{user_id}}/role", people, suffix="role", POST=ADMIN_PAGE)
    routes.add(f"{PEOPLE.href}/{{user_id}}/remove", people, suffix="remove", POST=ADMIN_PAGE)
    routes.add(f"{PEOPLE.href}/{{user_id}}/link", people, suffix="link", POST=ADMIN_PAGE)
    routes.add(f"{PEOPLE.href}/invites", people, suffix="invite", POST=ADMIN_PAGE)
    routes.add(f"{PEOPLE.href}/invites/{{invite_id}}/remove", people, suffix="invite_remove", POST=ADMIN_PAGE)
