"""Published HTTP clients, which SDKs are built on, against the public port."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator

import httpx
import pytest
import requests

from tests.integration.http.conftest import Gunicorn, Start


@pytest.fixture(scope="module")
def base(start_ingest: Start, start_dashboard: Start) -> str:
    start_dashboard()
    server: Gunicorn = start_ingest()
    return f"http://127.0.0.1:{server.port}"


def pieces() -> Iterator[bytes]:
    yield from (b"one", b"two", b"three")


def test_requests_keeps_its_connection_across_posts_and_a_page(base: str):
    with requests.Session() as session:
        ports = {session.post(f"{base}/v1/echo", json={"n": n}).json()["REMOTE_PORT"] for n in range(5)}
        ports.add(session.get(f"{base}/page").json()["REMOTE_PORT"])
        ports.add(session.post(f"{base}/v1/echo", data=pieces()).json()["REMOTE_PORT"])

    assert len(ports) == 1


def test_requests_sends_chunks(base: str):
    with requests.post(f"{base}/v1/echo", data=pieces()) as answer:
        assert answer.json()["body_bytes"] == 11


def test_requests_sees_the_refusal_of_a_body_that_is_too_large(base: str):
    with requests.post(f"{base}/v1/echo", data=b"x" * (5 * 1024 * 1024)) as answer:
        assert (answer.status_code, answer.json()) == (413, {"error": "body exceeds 4194304 bytes"})


def test_httpx_posts_streams_and_reads_pages(base: str):
    with httpx.Client(base_url=base) as client:
        assert client.post("/v1/echo", json={"a": 1}).json()["CONTENT_TYPE"] == "application/json"
        assert client.post("/v1/echo", content=pieces()).json()["body_bytes"] == 11
        assert client.head("/v1/echo").status_code == 200
        assert client.options("/v1/echo").status_code == 200
        assert client.get("/page").json()["SERVER_SOFTWARE"] == "bloop-dashboard"


def test_urllib3_retries_nothing_and_pools(base: str):
    with requests.Session() as session:
        first = session.get(f"{base}/v1/echo").json()["REMOTE_PORT"]
        session.head(f"{base}/v1/echo")
        session.get(f"{base}/v1/empty?204")
        session.get(f"{base}/v1/empty?304")

        assert session.get(f"{base}/v1/echo").json()["REMOTE_PORT"] == first


@pytest.mark.parametrize("options", [[], ["--http1.0"], ["-H", "Transfer-Encoding: chunked"], ["--http2"]], ids=str)
@pytest.mark.parametrize("path", ["/v1/echo", "/page"])
def test_curl_posts_with_and_without_expect(base: str, path: str, options: list[str]):
    curl = shutil.which("curl")
    assert curl is not None, "curl belongs to the test requirements"
    # Above 1 MiB curl waits for "100 Continue" by itself.
    body = b"x" * 2_000_000
    command = [curl, "-sS", "--max-time", "8", "--data-binary", "@-", *options, base + path]

    answer = subprocess.run(command, input=body, capture_output=True, check=True).stdout

    assert json.loads(answer)["body_bytes"] == len(body)
