from __future__ import annotations

import pytest

from bloop.http.limits import HttpLimits
from bloop.http.refusal import Refused
from bloop.http.request import (
    HeadReader,
    RequestLine,
    incomplete_head_fault,
    parse_request_line,
    path_matcher,
    wants_keep_alive,
)

LIMITS = HttpLimits(request_line_bytes_max=100, header_bytes_max=300, header_count_max=5)


def everything_is_ours(path: bytes) -> bool:
    return True


@pytest.fixture
def reader() -> HeadReader:
    return HeadReader({"SCRIPT_NAME": ""}, everything_is_ours, LIMITS)


def line(text: bytes) -> RequestLine:
    return parse_request_line(text, {}, everything_is_ours)


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", ""),
        (b"/a?", "/a", ""),
        (b"/a?b?c", "/a", "b?c"),
        (b"/a%2Fb%00%", "/a/b\0%", ""),
        (b"/%c3%a4", "/\xc3\xa4", ""),
        (b"//a///b", "//a///b", ""),
        (b"http://h", "/", ""),
        (b"http://h?q", "/", "q"),
        (b"http://h:80/p?q", "/p", "q"),
    ],
)
def test_target_becomes_path_and_query(target, path, query):
    environ = line(b"GET " + target + b" HTTP/1.1").environ

    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == (path, query)
    assert environ["RAW_URI"] == target.decode()


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"///v1//x?//q", b"/v1/x"),
        (b"/v1/%69ngest", b"/v1/ingest"),
        (b"/v1%2Fingest", b"/v1/ingest"),
        (b"/v1/ingest%0a", b"/v1/ingest\n"),
        (b"http://host/v1/%69ngest", b"/v1/ingest"),
    ],
)
def test_owner_is_asked_for_the_path_that_the_app_gets(target, path):
    asked = []

    parse_request_line(b"GET " + target + b" HTTP/1.1", {}, lambda path: asked.append(path) or False)

    assert asked == [path]


def test_request_line_is_parsed_once(reader):
    assert reader.line(b"GET /a HTTP/1.1") is reader.lines[b"GET /a HTTP/1.1"]


def test_remembered_lines_are_bounded(reader):
    for n in range(1000):
        reader.line(b"GET /%d HTTP/1.1" % n)

    assert len(reader.lines) <= 256


def test_remembered_header_names_are_bounded_and_forgetting_does_no_harm(reader):
    a = reader.line(b"GET /a HTTP/1.1")
    for n in range(1000):
        environ = reader.environ(a, b"GET /a HTTP/1.1\r\nHost: t\r\nX-%d: y\r\n\r\n" % n)
        assert environ[f"HTTP_X_{n}"] == "y"

    assert len(reader._keys) <= 512


def test_environ_is_a_copy_so_the_template_stays_clean(reader):
    a = reader.line(b"GET /a HTTP/1.1")

    reader.environ(a, b"GET /a HTTP/1.1\r\nHost: t\r\n\r\n")["bloop"] = "x"

    assert set(a.environ) == set(reader.line(b"GET /b HTTP/1.1").environ)


def test_header_values_keep_their_bytes_as_latin_1(reader):
    environ = reader.environ(
        reader.line(b"GET / HTTP/1.1"), b"GET / HTTP/1.1\r\nHost: t\r\nX: \xc3\xa4 b \t\r\nE:\r\n\r\n"
    )

    assert environ["HTTP_X"] == "\xc3\xa4 b"
    assert environ["HTTP_E"] == ""


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_host_is_required_from_http_11_on(reader, version):
    raw = b"GET / HTTP/" + version
    a = reader.line(raw)

    if version == b"1.0":
        assert "HTTP_HOST" not in reader.environ(a, raw + b"\r\n\r\n")
    else:
        with pytest.raises(Refused) as refusal:
            reader.environ(a, raw + b"\r\n\r\n")
        assert (refusal.value.status, str(refusal.value)) == (400, "missing Host header")


def test_headers_are_counted_and_measured(reader):
    a = reader.line(b"GET / HTTP/1.1")
    head = b"GET / HTTP/1.1\r\nHost: t\r\n%b\r\n"
    assert reader.environ(a, head % (b"X: y\r\n" * 4))["HTTP_X"] == "y,y,y,y"

    for fault in (head % (b"X: y\r\n" * 5), head % (b"X: " + b"y" * 300 + b"\r\n")):
        with pytest.raises(Refused) as refusal:
            reader.environ(a, fault)
        assert refusal.value.status == 431


def test_request_line_is_measured(reader):
    reader.line(b"GET /" + b"a" * 86 + b" HTTP/1.1")

    with pytest.raises(Refused) as refusal:
        reader.line(b"GET /" + b"a" * 87 + b" HTTP/1.1")

    assert refusal.value.status == 414


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"G", None),
        (b"\r", None),
        (b"GET / HTTP/1.1\r\nHost: t\r", None),
        (b"GET / HTTP/1.1\r\n" + b"X" * 284, None),
        (b"GET / HTTP/1.1\r\n" + b"X" * 285, 431),
        (b"a" * 100, None),
        (b"a" * 101, 414),
        (b" GET", 400),
        (b"\x16\x03", 400),
        (b"\n", 400),
        (b"GET / HTTP/1.1\n", 400),
        (b"GET / HTTP/1.1\r\nX: y\nZ", 400),
    ],
)
def test_incomplete_head_is_awaited_only_while_it_can_become_a_request(data, status):
    fault = incomplete_head_fault(data, LIMITS)

    assert (fault and fault.status) == status


@pytest.mark.parametrize(
    ("version", "wish", "expected"),
    [
        (b"1.1", None, True),
        (b"1.1", "keep-alive", True),
        (b"1.1", "Upgrade, HTTP2-Settings", True),
        (b"1.1", "close", False),
        (b"1.1", "keep-alive, CLOSE", False),
        (b"1.0", None, False),
        (b"1.0", "Keep-Alive", True),
        (b"1.0", "foo , KEEP-ALIVE", True),
        (b"1.0", "foo", False),
    ],
)
def test_keep_alive_is_the_clients_choice(version, wish, expected):
    environ = {} if wish is None else {"HTTP_CONNECTION": wish}

    assert wants_keep_alive(environ, line(b"GET / HTTP/" + version)) is expected


def test_path_matcher_takes_whole_paths_with_one_segment_per_placeholder():
    matches = path_matcher("/v1/ingest", "/v1/traces/{id}", "/a.b")

    assert [path for path in (b"/v1/ingest", b"/v1/traces/7f-x", b"/a.b") if not matches(path)] == []
    assert not any(
        map(matches, (b"/v1/ingest/", b"/v1/ingestx", b"/x/v1/ingest", b"/v1/traces/", b"/v1/traces/a/b", b"/aXb", b""))
    )
