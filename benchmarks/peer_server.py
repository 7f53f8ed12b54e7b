"""The ingest app, or one that does nothing, under a worker class of choice. `python -m benchmarks.peer_server …`

The app is bloop's own, with a sink that forgets instead of the ring, so that only the server around it differs.
"""

from __future__ import annotations

from typing import Any

import click
from gunicorn.app.base import BaseApplication

from benchmarks.profile_ingest import ForgettingSink, hello_wsgi, ingest_wsgi
from bloop.http.ingest_worker import make_ingest_worker

THREADS = 8  # per gthread worker


class PeerApplication(BaseApplication):  # type: ignore[misc]
    """Gunicorn without a settings file."""

    def __init__(self, app: str, options: dict[str, Any]) -> None:
        self._app, self._options = app, options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return hello_wsgi() if self._app == "hello" else ingest_wsgi(ForgettingSink())


@click.command()
@click.option("--server", type=click.Choice(["bloop", "gthread"]), required=True)
@click.option("--workers", type=int, required=True)
@click.option("--app", type=click.Choice(["ingest", "hello"]), required=True)
@click.option("--port", type=int, required=True)
def main(server: str, workers: int, app: str, port: int) -> None:
    options: dict[str, Any] = {
        "bind": f"127.0.0.1:{port}",
        "workers": workers,
        "worker_class": make_ingest_worker() if server == "bloop" else "gthread",
        "threads": THREADS if server == "gthread" else 1,
        "keepalive": 75,
        "control_socket_disable": True,
        "worker_tmp_dir": "/dev/shm",
        "loglevel": "error",
    }
    PeerApplication(app, options).run()


if __name__ == "__main__":
    main()
