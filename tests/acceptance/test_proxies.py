"""The proxy configurations as shipped, in the real nginx and Caddy in front of a real bloop.

Only names, ports and files are replaced. Both programs come from tests/tools.py.
"""

from __future__ import annotations

import gzip
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
import trustme

from tests.acceptance.harness import Answer, BloopServer, event, free_port, signed
from tests.hostile.latency import Request
from tests.hostile.ordinary import long_answer
from tests.hostile.slow_clients import WORSE_MAX, Kind, connector, plan_of, times_slower
from tests.tools import tool
from tests.waiting import until

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "docs/proxies"
NAME = "errors.example.com"
CLIENT = "127.0.7.77"  # all of 127.0.0.0/8 is this machine


class Proxy:
    """One of the two, in front of `server`. Sends TLS requests as a client at `CLIENT`, or at another address."""

    def __init__(self, command: list[str], folder: Path, server: BloopServer, port: int, ca: trustme.CA) -> None:
        self.server, self.port = server, port
        self._log = folder / "proxy.log"
        self._tls = ssl.create_default_context()
        ca.configure_trust(self._tls)
        with self._log.open("wb") as log:
            env = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "PATH": "/bin"}
            self._process = subprocess.Popen(
                command, cwd=folder, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        until(self._is_up, "the proxy to listen")

    def _is_up(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def connect(self, source: str = CLIENT) -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", self.port), 10, (source, 0))
        return self._tls.wrap_socket(raw, server_hostname=NAME)

    def connect_slowly(self, source: str) -> ssl.SSLSocket:
        """With a small receive buffer."""
        return self._tls.wrap_socket(connector(self.port)(source), server_hostname=NAME)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        with closing(http.client.HTTPSConnection(NAME, self.port, context=self._tls, timeout=10)) as client:
            client.sock = self.connect()
            client.request(method, path, body, {"Host": NAME, **(headers or {})})
            answer = client.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def send(self, payload: Any, headers: Mapping[str, str] | None = None, *, encode: Callable[[bytes], bytes] = bytes):
        raw = json.dumps(payload).encode()
        path = "/v1/ingest/batch" if "events" in payload else "/v1/ingest"
        return self.request("POST", path, encode(raw), signed(raw, self.server.secret) | dict(headers or {}))

    def stop(self) -> None:
        """End it and its child processes."""
        family = [psutil.Process(self._process.pid), *psutil.Process(self._process.pid).children(recursive=True)]
        self._process.terminate()
        self._process.wait(10)
        _, alive = psutil.wait_procs(family[1:], 10)
        assert not alive


def nginx(folder: Path, server: BloopServer, port: int, cert: Path) -> list[str]:
    text = (SHIPPED / "nginx.conf").read_text()
    for old, new in {
        "server 127.0.0.1:5332;\n    keepalive": f"server 127.0.0.1:{server.port};\n    keepalive",
        "/run/bloop/dashboard.sock": str(server.settings.dashboard_path),
        "    listen 80;\n    listen [::]:80;\n": f"    listen 127.0.0.1:{free_port()};\n",
        "    listen 443 ssl http2;\n    listen [::]:443 ssl http2;\n": f"    listen 127.0.0.1:{port} ssl http2;\n",
        f"/etc/letsencrypt/live/{NAME}/fullchain.pem": str(cert),
        f"/etc/letsencrypt/live/{NAME}/privkey.pem": str(cert),
    }.items():
        assert old in text
        text = text.replace(old, new)
    scratch = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if Path("/proc/self").owner() == "root" else ""
    (folder / "nginx.conf").write_text(
        f"{user}pid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{scratch}{text}\n}}\n"
    )
    return [tool("sbin/nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]


def caddy(folder: Path, server: BloopServer, port: int, cert: Path) -> list[str]:
    text = (SHIPPED / "Caddyfile").read_text()
    for old, new in {
        f"\n{NAME} {{": (
            "\n{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
            f"https://{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {cert} {cert}"
        ),
        "reverse_proxy 127.0.0.1:5332 {": f"reverse_proxy 127.0.0.1:{server.port} {{",
        "/run/bloop/dashboard.sock": str(server.settings.dashboard_path),
    }.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "Caddyfile").write_text(text)
    return [tool("bin/caddy"), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BloopServer]:
    variables = {
        "BLOOP__SERVER__TRUSTED_PROXIES": "127.0.0.1",
        "BLOOP__AUTH__RP_ID": NAME,
        "BLOOP__AUTH__RP_ORIGIN": f"https://{NAME}",
        "BLOOP__RATE_LIMIT__PER_SECOND": "1000",
    }
    server = BloopServer(tmp_path_factory.mktemp("behind"), **variables)
    yield server.start()
    server.remove_traces()


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest, server: BloopServer, tmp_path_factory: Any) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    ca = trustme.CA()
    cert = folder / "cert.pem"
    ca.issue_cert(NAME).private_key_and_cert_chain_pem.write_to_path(str(cert))
    port = free_port()
    running = Proxy(request.param(folder, server, port, cert), folder, server, port, ca)
    yield running
    running.stop()
    shutil.rmtree(folder)


def test_events_of_every_shape_arrive(proxy: Proxy):
    kind = f"Behind{proxy.port}"
    many = {"events": [event(f"{proxy.port}-{n}", error_type=kind) for n in range(50)]}

    assert proxy.send(event(error_type=kind)).json["status"] == "accepted"
    assert proxy.send(many).json["accepted"] == 50
    packed = proxy.send(many, {"Content-Encoding": "gzip"}, encode=gzip.compress)
    assert packed.json["accepted"] == 50, packed

    token = proxy.server.token()
    bearer = {"Authorization": f"Bearer {token}"}

    def counted() -> bool:
        rows = proxy.request("GET", "/v1/errors?limit=200", headers=bearer).json
        return [row["total_count"] for row in rows if row["error_type"] == kind] == [101]

    until(counted, "all of them in the API, through the proxy")


def test_refusals_are_answered_by_bloop(proxy: Proxy):
    answer = proxy.send(event(metadata={"padding": "x" * 200_000}))

    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    assert answer.json["error"]


def test_pages_arrive_complete_with_their_headers(proxy: Proxy):
    answer = proxy.request("GET", "/auth/login")
    style = proxy.request("GET", re.findall(r'href="(/assets/[^"]+css)"', answer.body.decode())[0])

    assert (answer.status, style.status) == (200, 200)
    assert answer.headers["strict-transport-security"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_slash_within_a_path_segment_stays_one(proxy: Proxy):
    bearer = {"Authorization": f"Bearer {proxy.server.token()}"}
    proxy.send(event(release="web@2.0/7"))

    def of_release() -> list[Any]:
        return proxy.request("GET", "/v1/releases/web@2.0%2F7/errors", headers=bearer).json

    assert until(of_release, "the release to be listed")[0]["release"] == "web@2.0/7"


def test_the_client_address_is_the_one_the_proxy_saw_not_the_claimed_one(proxy: Proxy):
    token = proxy.server.token()
    claims = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    headers = signed(b"something else", proxy.server.secret, name_key=True) | claims

    answer = proxy.request("POST", "/v1/ingest", json.dumps(event()).encode(), headers)

    assert answer.status == 401

    def rejected_clients() -> list[str]:
        rejected = proxy.server.request("GET", "/v1/rejections", headers={"Authorization": f"Bearer {token}"})
        return [row["client"] for row in rejected.json]

    clients = until(rejected_clients, "the rejection to be listed")
    assert {client.rpartition(".")[0] for client in clients} == {CLIENT.rpartition(".")[0]}


def test_no_client_behind_the_proxy_reads_the_metrics_without_a_token(proxy: Proxy):
    token = proxy.server.token(scopes="metrics:read")
    claims = [
        {},
        {"Host": "localhost"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Connection": "X-Forwarded-For, X-Forwarded-Proto"},
    ]

    assert proxy.server.request("GET", "/metrics").status == 200
    answers = [proxy.request("GET", "/metrics", headers=claim) for claim in claims]
    assert [answer for answer in answers if b"bloop_" in answer.body] == []
    answer = proxy.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status, answer.body[:6]) == (200, b"# HELP")


def test_live_events_pass_at_once_and_resume(proxy: Proxy):
    token = proxy.server.token()

    def listen(after: str) -> ssl.SSLSocket:
        sock = proxy.connect()
        head = f"Host: {NAME}\r\nAuthorization: Bearer {token}\r\nLast-Event-ID: {after}\r\nAccept: text/event-stream"
        sock.sendall(f"GET /v1/stream HTTP/1.1\r\n{head}\r\n\r\n".encode())
        return sock

    def read_until(sock: ssl.SSLSocket, expected: str) -> str:
        text = ""
        sock.settimeout(10)
        while expected not in text:
            data = sock.recv(65_536)
            assert data, text
            text += data.decode()
        return text

    with closing(listen("")) as sock:
        read_until(sock, "id: ")
        proxy.send(event(error_type=f"Live{'ab'[proxy.port % 2]}One{proxy.port}"))
        text = read_until(sock, "event: issue.new")
        first = text[: text.index("event: issue.new")].rsplit("id: ", 1)[1].strip()

    proxy.send(event(error_type=f"LiveTwo{proxy.port}"))
    with closing(listen(first)) as sock:
        again = read_until(sock, "event: issue.new")
    assert f"id: {first}\nevent" not in again


@pytest.mark.parametrize("kind", [Kind.SLEEPY_BODY, Kind.NEVER_READS, Kind.SLOW_INGEST], ids=lambda kind: kind.name)
def test_slow_clients_delay_nobody_behind_the_proxy(proxy: Proxy, kind: Kind):
    cookie = {"Cookie": f"bloop_session={proxy.server.session()}"}
    raw = json.dumps(event()).encode()
    requests: dict[str, Request] = {
        "/health": lambda: proxy.request("GET", "/health").status,
        "a page": lambda: proxy.request("GET", "/", headers=cookie).status,
        "ingest": lambda: proxy.request("POST", "/v1/ingest", raw, signed(raw, proxy.server.secret)).status,
    }

    assert times_slower(requests, plan_of(kind, long_answer(proxy.server)), 50, proxy.connect_slowly) <= WORSE_MAX


@pytest.mark.faults
def test_pages_work_again_after_bloop_restarted_behind_the_proxy(proxy: Proxy):
    (dashboard,) = proxy.server.pids("dashboard-worker")
    psutil.Process(dashboard).kill()

    def page_is_back() -> bool:
        return proxy.request("GET", "/health").status == 200

    assert proxy.send(event()).json["status"] == "accepted"
    until(page_is_back, "pages through the proxy again")
