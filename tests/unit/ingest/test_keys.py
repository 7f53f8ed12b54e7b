from __future__ import annotations

import logging
import threading

import pytest

from bloop.base.credentials import token_hash
from bloop.base.errors import StorageError, UnknownKey
from bloop.ingest import keys as keys_module
from bloop.ingest.hmac_signature import SigningKey, sign
from bloop.ingest.keys import HASHED_BYTES_MAX, KEYS_TRIED_MAX, ProjectKey, ProjectKeys, WriteKey
from bloop.records.record import KeyUse, Kind, decode_key_use

A, B = "bloop_" + "a" * 64, "bloop_" + "b" * 64
SECRET = "the legacy secret"
BODY = b'{"message":"boom"}'
DEFAULT_ID = 1


class Control:
    """A stand-in for the control plane: rows, their generation, a clock, and trouble on demand."""

    def __init__(self, *rows: ProjectKey) -> None:
        self.rows = list(rows)
        self.generation, self.loads, self.now_s = 1, 0, 0.0
        self.trouble: Exception | None = None
        self.default_id: int | None = DEFAULT_ID
        self.ended: dict[str, int] = {}

    def load(self) -> list[ProjectKey]:
        self.loads += 1
        if self.trouble:
            raise self.trouble
        return list(self.rows)

    def change(self, *rows: ProjectKey) -> None:
        self.rows, self.generation = list(rows), self.generation + 1

    def keys(self, secret: str = SECRET) -> ProjectKeys:
        return ProjectKeys(
            self.load,
            lambda: self.generation,
            secret,
            lambda: self.default_id,
            load_ended=lambda: self.ended,
            monotonic=lambda: self.now_s,
            now_s=lambda: self.now_s,
        )


@pytest.fixture
def control() -> Control:
    return Control(ProjectKey(7, A), ProjectKey(8, B))


def by(secret: str) -> bytes:
    return sign(secret.encode(), BODY)


@pytest.mark.parametrize(
    ("claimed", "secret", "project_id"),
    [
        (A, A, 7),
        (B, B, 8),
        (A, SECRET, 7),
        (SECRET, SECRET, DEFAULT_ID),
        (None, SECRET, DEFAULT_ID),
        ("", SECRET, DEFAULT_ID),
        (None, A, 7),
        (None, B, 8),
    ],
)
def test_request_belongs_to_the_project_its_signature_proves(control, claimed, secret, project_id):
    assert control.keys().verify(claimed, by(secret), BODY) == project_id


@pytest.mark.parametrize(
    ("claimed", "secret"), [(A, B), (A, "other"), (None, "other"), (SECRET, A), (None, ""), (A, ""), ("", "other")]
)
def test_signature_that_proves_nothing_is_for_no_project(control, claimed, secret):
    assert control.keys().verify(claimed, by(secret), BODY) is None


@pytest.mark.parametrize("claimed", [A.upper(), A[:-1], A + "a", " " + A, "bloop_", "ключ"])
def test_key_nobody_has_is_unknown_whatever_signed(control, claimed):
    for secret in (A, SECRET, claimed):
        with pytest.raises(UnknownKey, match=r"^invalid project key$"):
            control.keys().verify(claimed, by(secret), BODY)


def test_unset_legacy_secret_opens_nothing(control):
    keys = control.keys(secret="")

    for claimed in (None, "", A):
        assert keys.verify(claimed, by(""), BODY) is None
    assert keys.verify(None, by(A), BODY) == 7


def test_legacy_secret_without_a_default_project_is_no_key(control):
    control.default_id = None
    keys = control.keys()

    with pytest.raises(UnknownKey):
        keys.verify(SECRET, by(SECRET), BODY)
    assert keys.verify(None, by(SECRET), BODY) is None
    assert keys.verify(A, by(SECRET), BODY) == 7


def test_secret_with_accents_is_known_as_the_header_carries_it(control):
    keys = control.keys(secret="schlüssel")
    header = "schlüssel".encode().decode("latin-1")  # how WSGI hands over the bytes a client sends

    assert keys.verify(header, by("schlüssel"), BODY) == DEFAULT_ID


def test_keys_are_loaded_once_per_generation(control):
    keys = control.keys()

    for _ in range(3):
        keys.verify(A, by(A), BODY)

    assert control.loads == 1


def test_rotated_key_stops_working_with_the_next_request(control):
    keys = control.keys()
    keys.verify(A, by(A), BODY)
    keys.verify(None, by(A), BODY)  # remembered as the last match
    control.change(ProjectKey(7, "bloop_new"), ProjectKey(8, B))

    with pytest.raises(UnknownKey):
        keys.verify(A, by(A), BODY)
    assert keys.verify(None, by(A), BODY) is None
    assert keys.verify("bloop_new", by("bloop_new"), BODY) == 7


def test_change_while_loading_is_seen_by_the_next_request(control):
    def load() -> list[ProjectKey]:
        rows = control.load()
        if control.loads == 1:
            control.change(ProjectKey(9, "bloop_late"))
        return rows

    keys = ProjectKeys(load, lambda: control.generation, SECRET, lambda: DEFAULT_ID)

    assert keys.verify(A, by(A), BODY) == 7
    assert keys.verify("bloop_late", by("bloop_late"), BODY) == 9


def test_failing_load_keeps_the_old_keys_and_is_retried_once_a_second(control, caplog):
    keys = control.keys()
    keys.verify(A, by(A), BODY)
    control.trouble = OSError("disk I/O error")
    control.change(ProjectKey(9, "bloop_new"))

    with caplog.at_level(logging.WARNING):
        for control.now_s in (10.0, 10.5, 10.99, 11.0, 11.5):
            assert keys.verify(A, by(A), BODY) == 7

    assert control.loads == 1 + 2
    assert [record.action for record in caplog.records] == ["keys_reload_failed"] * 2
    control.trouble = None
    control.now_s = 12.0
    assert keys.verify("bloop_new", by("bloop_new"), BODY) == 9


def test_before_the_first_load_succeeds_nothing_is_known_and_nothing_is_refused_as_wrong(control):
    control.trouble = OSError("no such file")
    keys = control.keys()

    with pytest.raises(StorageError, match="project keys are not loaded yet"):
        keys.verify(A, by(A), BODY)

    control.trouble = None
    control.now_s = 1.0
    assert keys.verify(A, by(A), BODY) == 7


def test_find_answers_from_memory_and_never_loads(control):
    keys = control.keys()

    assert keys.find(A) is None
    assert control.loads == 0
    keys.verify(A, by(A), BODY)
    assert keys.find(A) == 7
    assert keys.find("nobody") is None
    assert keys.find(None) is None


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The secrets that were tried, in order."""
    secrets: list[bytes] = []

    class WatchedKey(SigningKey):
        def __init__(self, secret: bytes) -> None:
            super().__init__(secret)
            self.secret = secret

        def matches(self, signature: bytes, body: bytes) -> bool:
            secrets.append(self.secret)
            return super().matches(signature, body)

    monkeypatch.setattr(keys_module, "SigningKey", WatchedKey)
    return secrets


def test_unnamed_requests_try_a_bounded_number_of_keys(tried):
    control = Control(*(ProjectKey(n, f"bloop_{n}") for n in range(KEYS_TRIED_MAX + 100)))
    keys = control.keys()

    assert keys.verify(None, b"wrong", BODY) is None

    assert len(tried) == 1 + KEYS_TRIED_MAX  # the legacy secret first


def test_unnamed_requests_with_large_bodies_try_fewer_keys(tried):
    control = Control(*(ProjectKey(n, f"bloop_{n}") for n in range(100)))
    keys = control.keys()
    body = bytes(1_000_000)

    assert keys.verify(None, b"wrong", body) is None

    assert 1 < len(tried) <= 1 + HASHED_BYTES_MAX // len(body)


def test_key_that_matched_last_is_tried_right_after_the_secret(tried):
    control = Control(*(ProjectKey(n, f"bloop_{n}") for n in range(50)))
    keys = control.keys()
    keys.verify(None, by("bloop_49"), BODY)
    tried.clear()

    assert keys.verify(None, by("bloop_49"), BODY) == 49
    assert tried == [SECRET.encode(), b"bloop_49"]


def test_threads_that_find_no_keys_wait_for_the_one_that_loads(control):
    loading, go_on = threading.Event(), threading.Event()

    def slow_load() -> list[ProjectKey]:
        loading.set()
        assert go_on.wait(5)
        return control.load()

    keys = ProjectKeys(slow_load, lambda: control.generation, SECRET, lambda: DEFAULT_ID)
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(keys.verify(A, by(A), BODY))) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert loading.wait(5)
    go_on.set()
    for thread in threads:
        thread.join(5)

    assert answers == [7] * 4
    assert control.loads == 1


# Old keys and the use of keys ----------------------------------------------------------------------------------------

OLD = "bloop_" + "0" * 64


def test_an_old_key_works_until_it_ends_and_ends_by_itself():
    control = Control(ProjectKey(7, A), ProjectKey(7, OLD, made_at_ms=1, ends_at_ms=86_400_000))
    keys = control.keys()
    assert [keys.verify(claimed, by(claimed), BODY) for claimed in (A, OLD)] == [7, 7]
    assert keys.verify(None, by(OLD), BODY) == 7
    loads = control.loads

    control.now_s = 86_399.999
    assert keys.verify(OLD, by(OLD), BODY) == 7
    control.now_s = 86_400.0

    with pytest.raises(UnknownKey, match="invalid project key"):
        keys.verify(OLD, by(OLD), BODY)
    with pytest.raises(UnknownKey):  # whatever it is signed with
        keys.verify(OLD, by(SECRET), BODY)
    assert keys.verify(None, by(OLD), BODY) is None
    assert keys.verify(A, by(A), BODY) == 7
    assert control.loads == loads


def test_a_key_that_is_current_somewhere_is_an_old_one_nowhere():
    control = Control(ProjectKey(7, A, ends_at_ms=1), ProjectKey(8, A))
    control.now_s = 5.0

    assert control.keys().verify(A, by(A), BODY) == 8


def test_a_key_that_has_ended_still_says_whose_refusals_they_are():
    control = Control(ProjectKey(7, A), ProjectKey(7, OLD, ends_at_ms=1000))
    control.ended = {token_hash(B): 8, token_hash(OLD): 7}
    keys = control.keys()
    assert keys.find(B) is None, "nothing is loaded for an attribution"
    keys.verify(A, by(A), BODY)
    control.now_s = 2.0

    assert [keys.find(claimed) for claimed in (A, OLD, B, SECRET, "x", "\udcff", None)] == [7, 7, 8] + [None] * 4
    with pytest.raises(UnknownKey):
        keys.verify(B, by(B), BODY)


def test_a_revoked_write_key_still_says_whose_refusals_they_are():
    rows = [WriteKey(7, "capture", "good"), WriteKey(8, "capture", "revoked", is_revoked=True)]
    keys = ProjectKeys(list, lambda: 1, "", lambda: None, load_write_keys=lambda: rows)

    assert keys.authenticate_write_key("capture", "good") == 7
    with pytest.raises(UnknownKey):
        keys.authenticate_write_key("capture", "revoked")
    assert [keys.find_write_key("capture", key) for key in ("good", "revoked", "other")] == [7, 8, None]


def test_the_use_of_a_key_is_reported_once_a_minute():
    control = Control(ProjectKey(7, A, made_at_ms=5), ProjectKey(8, B, made_at_ms=6))
    keys, reports = control.keys(), []
    keys.verify(B, by(B), BODY)  # nobody listens yet
    keys.report_uses_to(lambda form, payload: reports.append((form, decode_key_use(payload))))

    for now_s in (100.0, 100.5, 159.0, 160.0, 160.1):
        control.now_s = now_s
        keys.verify(A, by(A), BODY)
        keys.verify(A, by(SECRET), BODY)
        keys.verify(A, by("wrong"), BODY)
        control.change(*control.rows)  # a reload forgets nothing

    assert reports == [(Kind.KEY_USE, KeyUse(7, 100_000, 5)), (Kind.KEY_USE, KeyUse(7, 160_000, 5))]


def test_the_use_of_a_key_by_a_client_that_does_not_name_it_is_reported_too():
    control, reports = Control(ProjectKey(7, A, made_at_ms=5)), []
    keys = control.keys()
    keys.report_uses_to(lambda form, payload: reports.append(decode_key_use(payload)))

    assert [keys.verify(None, by(A), BODY) for _ in range(2)] == [7, 7]

    assert reports == [KeyUse(7, 0, 5)]
