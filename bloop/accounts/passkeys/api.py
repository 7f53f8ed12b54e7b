"""/auth/*: passkey ceremonies in two halves. `start` returns the options for the browser, `finish` verifies its answer.

    register   create the first account, with the set-up link
    invite     create an account, with an invitation
    login      sign in with a registered passkey
    passkeys   add another passkey while signed in

A ceremony makes its changes in the transaction that spends its challenge and its link: of two answers to the same
challenge, or with the same link, one is refused and leaves no trace. All refusals of a sign-in read the same,
whichever check failed.
"""

from __future__ import annotations

import logging
from typing import Any

import falcon

from bloop.accounts.invites.read import is_valid_invite
from bloop.accounts.invites.store import consume_invite
from bloop.accounts.links.read import find_link
from bloop.accounts.links.store import consume_login_link_by_hash
from bloop.accounts.passkeys import webauthn as passkeys
from bloop.accounts.passkeys.challenges import Challenge, Purpose, new_challenge, seal, unseal
from bloop.accounts.passkeys.read import challenge_key, find_passkey, has_passkeys, list_passkeys
from bloop.accounts.passkeys.store import NAME_LENGTH_MAX, add_passkey, mark_suspect, spend_challenge, use_passkey
from bloop.accounts.passkeys.webauthn import CopiedPasskey, NewPasskey, NotVerified, RelyingParty, reason_of
from bloop.accounts.people.read import get_user, has_users
from bloop.accounts.people.store import create_user, require_free_username, validate_username
from bloop.accounts.sign_ins.browser import agent_of
from bloop.accounts.sign_ins.cookie import SignInCookie
from bloop.auth.principal import Principal, PrincipalKind
from bloop.base import credentials
from bloop.base.errors import Conflict, Declined, Forbidden, Unauthorized
from bloop.db.engine import Db
from bloop.site.bodies import answer_json, read_json, text_in
from bloop.site.deps import Deps
from bloop.site.principal import principal_of

CLOSED = "registration is closed"
NO_LINK = "registration needs the one-time set-up link: make one on the server with `bloop login-link`"
BAD_INVITE = "invite token is invalid or expired"
BAD_CHALLENGE = "challenge expired or invalid"
FAILED = "authentication failed"
NOT_REGISTERED = "registration failed"
NO_ACCOUNT = "passkeys belong to accounts: set one up first"
DEFAULT_NAME = "Passkey"

log = logging.getLogger(__name__)


class Ceremony:
    """The steps that all four ceremonies share."""

    def __init__(self, deps: Deps) -> None:
        self._deps, self._cookie = deps, SignInCookie(deps.settings)
        self._rp = RelyingParty.of(deps.settings.auth.rp_id, deps.settings.auth.rp_origin)
        self._key = b""  # read once: it never changes

    def _begin(self, resp: falcon.Response, challenge: Challenge, options: dict[str, Any]) -> None:
        answer_json(resp, {"challenge_id": seal(self._seal_key(), challenge), "publicKey": options})

    def _challenge(self, body: dict[str, Any], purpose: Purpose) -> Challenge:
        return unseal(self._seal_key(), text_in(body, "challenge_id"), purpose, self._deps.now_ms())

    def _seal_key(self) -> bytes:
        if not self._key:
            with self._deps.database.reader() as db:
                self._key = challenge_key(db)
        return self._key

    def _new_passkey(self, challenge: Challenge, body: dict[str, Any]) -> NewPasskey:
        try:
            return passkeys.verify_registration(self._rp, challenge, _credential(body))
        except NotVerified as error:
            log.warning("registration failed: %s", reason_of(error), extra={"action": "registration_failed"})
            raise Declined(NOT_REGISTERED) from error

    def _spend(self, db: Db, challenge: Challenge) -> None:
        now_ms = self._deps.now_ms()
        if not spend_challenge(db, challenge.nonce, expires_at_ms=challenge.expires_at_ms, now_ms=now_ms):
            raise Declined(BAD_CHALLENGE)

    def _store(self, db: Db, user_id: str, new: NewPasskey, name: str) -> str:
        return add_passkey(
            db,
            user_id,
            credential_id=new.credential_id,
            public_key=new.public_key,
            sign_count=new.sign_count,
            transports=new.transports,
            name=name,
            is_synced=new.is_synced,
            now_ms=self._deps.now_ms(),
        )

    def _create_account(self, db: Db, req: falcon.Request, challenge: Challenge, new: NewPasskey) -> str:
        """Create an account with its passkey and sign it in; return the cookie."""
        now_ms = self._deps.now_ms()
        create_user(db, username=challenge.username, user_id=challenge.user_id, now_ms=now_ms)
        self._store(db, challenge.user_id, new, _default_name(req))
        return self._cookie.open(db, req, challenge.user_id, now_ms)

    def _answer_signed_in(self, resp: falcon.Response, cookie: str) -> None:
        self._cookie.set_cookie(resp, cookie)
        answer_json(resp, {"status": "ok"})

    def _begin_account(self, resp: falcon.Response, purpose: Purpose, username: str, proof: str) -> None:
        now_ms, user_id = self._deps.now_ms(), credentials.new_id()
        challenge = new_challenge(purpose, now_ms, user_id=user_id, username=username, proof=proof)
        self._begin(resp, challenge, passkeys.creation_options(self._rp, challenge))


class Register(Ceremony):
    """POST /auth/register/start, /auth/register/finish"""

    def on_post_start(self, req: falcon.Request, resp: falcon.Response) -> None:
        body = read_json(req)
        proof = credentials.token_hash(text_in(body, "setup_token"))
        with self._deps.database.reader() as db:
            if has_users(db):
                raise Forbidden(CLOSED)
            username = validate_username(text_in(body, "username"))
            if find_link(db, proof, self._deps.now_ms()) is None:
                raise Forbidden(NO_LINK)
        self._begin_account(resp, Purpose.SET_UP, username, proof)

    def on_post_finish(self, req: falcon.Request, resp: falcon.Response) -> None:
        body = read_json(req)
        challenge = self._challenge(body, Purpose.SET_UP)
        new = self._new_passkey(challenge, body)

        def register(db: Db) -> str:
            if has_users(db):
                raise Forbidden(CLOSED)
            self._spend(db, challenge)
            if consume_login_link_by_hash(db, challenge.proof, self._deps.now_ms()) is None:
                raise Forbidden(NO_LINK)
            return self._create_account(db, req, challenge, new)

        cookie = self._deps.database.change(register)
        log.info("first account created", extra={"action": "account_created"})
        self._answer_signed_in(resp, cookie)


class AcceptInvite(Ceremony):
    """POST /auth/invite/register/start, /auth/invite/register/finish"""

    def on_post_start(self, req: falcon.Request, resp: falcon.Response) -> None:
        body = read_json(req)
        proof = credentials.token_hash(text_in(body, "invite_token"))
        with self._deps.database.reader() as db:
            if not is_valid_invite(db, proof, self._deps.now_ms()):
                raise Declined(BAD_INVITE)
            username = validate_username(text_in(body, "username"))
            require_free_username(db, username)
        self._begin_account(resp, Purpose.INVITE, username, proof)

    def on_post_finish(self, req: falcon.Request, resp: falcon.Response) -> None:
        body = read_json(req)
        challenge = self._challenge(body, Purpose.INVITE)
        if credentials.token_hash(text_in(body, "invite_token")) != challenge.proof:
            raise Declined(BAD_INVITE)
        new = self._new_passkey(challenge, body)

        def register(db: Db) -> str:
            self._spend(db, challenge)
            cookie = self._create_account(db, req, challenge, new)
            now_ms = self._deps.now_ms()
            if not consume_invite(db, challenge.proof, user_id=challenge.user_id, now_ms=now_ms):
                raise Declined(BAD_INVITE)
            return cookie

        cookie = self._deps.database.change(register)
        log.info("account created by invitation", extra={"action": "account_created"})
        self._answer_signed_in(resp, cookie)


class Login(Ceremony):
    """POST /auth/login/start, /auth/login/finish"""

    def on_post_start(self, req: falcon.Request, resp: falcon.Response) -> None:
        with self._deps.database.reader() as db:
            if not has_passkeys(db):
                raise Declined("no credentials registered")
        challenge = new_challenge(Purpose.SIGN_IN, self._deps.now_ms())
        self._begin(resp, challenge, passkeys.request_options(self._rp, challenge))

    def on_post_finish(self, req: falcon.Request, resp: falcon.Response) -> None:
        body = read_json(req)
        challenge, answer, now_ms = self._challenge(body, Purpose.SIGN_IN), _credential(body), self._deps.now_ms()
        with self._deps.database.reader() as db:
            passkey = find_passkey(db, passkeys.credential_id_of(answer))
        if passkey is None:
            raise Unauthorized(FAILED)
        try:
            use = passkeys.verify_sign_in(self._rp, challenge, answer, passkey)
        except NotVerified as error:
            log.warning("sign-in failed: %s", reason_of(error), extra={"action": "sign_in_failed"})
            if isinstance(error, CopiedPasskey):
                self._deps.database.change(lambda db: mark_suspect(db, passkey.id, now_ms))
            raise Unauthorized(FAILED) from error

        def sign_in(db: Db) -> str:
            self._spend(db, challenge)
            if not use_passkey(
                db,
                passkey.id,
                expected=passkey.sign_count,
                sign_count=use.sign_count,
                is_synced=use.is_synced,
                now_ms=now_ms,
            ):
                raise Unauthorized(FAILED)  # used or removed since we read it
            return self._cookie.open(db, req, passkey.user_id, now_ms)

        self._answer_signed_in(resp, self._deps.database.change(sign_in))


class AddPasskey(Ceremony):
    """POST /auth/passkeys/start, /auth/passkeys/finish"""

    def on_post_start(self, req: falcon.Request, resp: falcon.Response) -> None:
        person = _person(req)
        with self._deps.database.reader() as db:
            user, existing = get_user(db, person.id), list_passkeys(db, person.id)
        if user is None:
            raise Unauthorized("invalid or expired session")  # the account was removed meanwhile
        challenge = new_challenge(Purpose.ADD, self._deps.now_ms(), user_id=user.id, username=user.username)
        self._begin(resp, challenge, passkeys.creation_options(self._rp, challenge, existing))

    def on_post_finish(self, req: falcon.Request, resp: falcon.Response) -> None:
        person, body = _person(req), read_json(req)
        challenge = self._challenge(body, Purpose.ADD)
        if challenge.user_id != person.id:
            raise Declined(BAD_CHALLENGE)
        new, name = self._new_passkey(challenge, body), text_in(body, "name").strip() or _default_name(req)

        def add(db: Db) -> str:
            self._spend(db, challenge)
            return self._store(db, person.id, new, name)

        answer_json(resp, {"status": "ok", "id": self._deps.database.change(add)})


def _person(req: falcon.Request) -> Principal:
    principal = principal_of(req)
    if principal.kind is not PrincipalKind.USER:
        raise Conflict(NO_ACCOUNT)
    return principal


def _credential(body: dict[str, Any]) -> dict[str, Any]:
    """The browser's answer; a malformed one becomes an empty one, which fails to verify."""
    answer = body.get("credential")
    usable = isinstance(answer, dict) and isinstance(answer.get("response"), dict)
    return answer if usable and answer is not None else {"response": {}}


def _default_name(req: falcon.Request) -> str:
    return agent_of(req.user_agent)[:NAME_LENGTH_MAX] or DEFAULT_NAME
