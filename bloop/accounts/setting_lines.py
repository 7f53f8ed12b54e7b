"""Accounts on the overview of the settings: yours, your passkeys and sessions; everybody's for admins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bloop.accounts.invites.read import list_invites
from bloop.accounts.passkeys.read import PasskeyRow, list_passkeys
from bloop.accounts.people.read import get_user, list_users
from bloop.accounts.sign_ins.read import list_sign_ins
from bloop.db.engine import Db
from bloop.site.deps import Deps
from bloop.site.filters import relative
from bloop.site.settings_nav import ACCOUNT, PEOPLE, LineState, SettingLine, SettingsGroup, SettingsRequest, plural

YOU, SERVER = SettingsGroup.YOU, SettingsGroup.SERVER


def setting_lines(deps: Deps, db: Db, request: SettingsRequest) -> Iterator[SettingLine]:
    principal, now_ms = request.principal, request.now_ms
    if get_user(db, principal.id) is None:
        yield SettingLine(
            YOU, 10, "user", ACCOUNT.label, "No account yet: create the first one", ACCOUNT.href, LineState.WARN
        )
    else:
        role = "admin" if principal.is_admin else "user"
        yield SettingLine(YOU, 10, "user", ACCOUNT.label, f"{principal.name}, {role}", ACCOUNT.href)
        yield _passkeys(list_passkeys(db, principal.id), now_ms)
        sign_ins = len(list_sign_ins(db, principal.id, now_ms))
        yield SettingLine(
            YOU, 30, "shield", "Sessions", f"{plural(sign_ins, 'browser')} signed in", f"{ACCOUNT.href}#sign-ins"
        )
    if principal.is_admin:
        is_open = [row for row in list_invites(db) if row.used_at is None and row.expires_at * 1000 > now_ms]
        people = plural(len(list_users(db)), "account")
        value = f"{people}, {plural(len(is_open), 'invitation')} open" if is_open else people
        yield SettingLine(SERVER, 10, "people", PEOPLE.label, value, PEOPLE.href)


def _passkeys(rows: Sequence[PasskeyRow], now_ms: int) -> SettingLine:
    href = f"{ACCOUNT.href}#passkeys"
    if not rows:
        return SettingLine(YOU, 20, "key", "Passkeys", "None: add one to sign in again", href, LineState.WARN)
    if any(row.suspect_at is not None for row in rows):
        return SettingLine(YOU, 20, "key", "Passkeys", "One was possibly copied: remove it", href, LineState.BAD)
    used = [row.last_used_at for row in rows if row.last_used_at is not None]
    last = f", last used {relative(max(used) * 1000, now_ms)}" if used else ""
    return SettingLine(YOU, 20, "key", "Passkeys", f"{len(rows):,}{last}", href)
