"""Runs Flower in its own environment: `dispatcher flower` becomes this program.

It is Flower as released but for four things: every address asks for the password, /metrics too; task
events are on only while somebody watches; queues without a worker are shown; secrets come from the
environment or a file, never from the command line.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from celery import Celery
from door import OPEN_PATH, USER, LeaseRequest, is_watching
from flower.app import Flower
from flower.options import options
from flower.urls import settings
from flower.views import BaseHandler
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from tornado.httputil import HTTPServerRequest
from tornado.options import parse_config_file
from tornado.web import RequestHandler
from watch import Watch

log = logging.getLogger("flower")

# How long the end waits for a broker to take the message that turns events off.
FAREWELL_S = 2.0
HERE = Path(__file__).parent


class Refusal(RequestHandler):
    """What a request without the right password gets, whatever it asked for."""

    def prepare(self) -> None:
        """Ask for the password."""
        self.set_status(401)
        self.set_header("WWW-Authenticate", 'Basic realm="Flower", charset="UTF-8"')
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(f"User {USER}; the password lies in DATA_DIR/flower-password.\n")


class GuardedFlower(Flower):
    """Flower with one door before all of its handlers, and a watch on who comes in."""

    def __init__(self, *, door: LeaseRequest, watch: Watch, **flower: Any) -> None:
        """Put door and watch before Flower."""
        self._door = door
        self._watch = watch
        super().__init__(**flower)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Return the handler of a request that may come in, else the refusal."""
        if request.path != OPEN_PATH and not self._door.opens_to(request.headers.get("Authorization")):
            return self.get_handler_delegate(request, Refusal)
        if is_watching(request.path):
            self._watch.note_request()
        return super().find_handler(request, **kwargs)


def broker_url() -> str:
    """Return the URL of the broker from the environment or from the file that it names."""
    if path := os.environ.get("REDIS_URL_FILE"):
        return Path(path).read_text(encoding="utf-8").strip()
    return os.environ["REDIS_URL"]


def password() -> str:
    """Return the password from the environment or from the file that it names."""
    given = os.environ.get("FLOWER_PASSWORD")
    return given or Path(os.environ["FLOWER_PASSWORD_FILE"]).read_text(encoding="utf-8").strip()


def configure(door: LeaseRequest) -> None:
    """Set Flower's options: the file's, and over them those of the deployment."""
    parse_config_file(str(HERE / "flowerconfig.py"))
    options.address = os.environ["FLOWER_HOST"]
    options.port = int(os.environ["FLOWER_PORT"])
    options.read_only = os.environ["FLOWER_READ_ONLY"] == "true"
    # Flower's own check stays on behind the door: without it parts of its API would be closed.
    options.basic_auth = [door.credentials]
    options.enable_events = False


def show_all_queues(names: list[str]) -> None:
    """Make Flower show these queues; by itself it leaves out one that no worker consumes."""
    BaseHandler.get_active_queue_names = lambda _: names


def make_celery() -> Celery:
    """Return the application that Flower talks to workers with; it knows no task."""
    # `dispatcher flower` says how the broker is spoken to; a container that has a plain one need not.
    broker = json.loads(os.environ.get("FLOWER_BROKER") or '{"transport": {}, "tls": {}}')
    # JSON knows text as the name of a field, a socket option is a number.
    for waits in (broker["transport"], broker["transport"].get("sentinel_kwargs")):
        if waits and "socket_keepalive_options" in waits:
            numbered = {int(name): value for name, value in waits["socket_keepalive_options"].items()}
            waits["socket_keepalive_options"] = numbered
    app = Celery("flower", broker=broker_url(), set_as_current=True)
    app.conf.update(
        result_backend=None,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_use_ssl=broker["tls"] or None,
        broker_transport_options={
            "socket_keepalive": True,
            **broker["transport"],
            "health_check_interval": 10,
        },
    )
    return app


def main() -> None:
    """Serve until SIGTERM."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s [%(levelname)s] %(name)s: %(message)s", stream=sys.stdout
    )
    logging.getLogger("tornado.access").disabled = True
    # A worker that does not answer and a page that does not exist are nothing to tell the operator.
    for name in ("flower.inspector", "tornado.general"):
        logging.getLogger(name).setLevel(logging.ERROR)
    app = make_celery()
    watch = Watch(
        enable=app.control.enable_events,
        disable=app.control.disable_events,
        idle_s=float(os.environ["FLOWER_IDLE_S"]),
        broker_errors=(OSError, OperationalError, RedisError),
    )
    door = LeaseRequest(password())
    configure(door)
    show_all_queues(os.environ["FLOWER_QUEUES"].split(","))
    flower = GuardedFlower(door=door, watch=watch, capp=app, options=options, **settings)
    signal.signal(signal.SIGTERM, lambda *_: flower.io_loop.add_callback_from_signal(flower.io_loop.stop))
    flower.start_http_server()
    log.info("listening on %s:%s, read-only: %s", options.address, options.port, options.read_only)
    watch.start()
    flower.start()
    farewell = threading.Thread(target=watch.end, daemon=True)
    farewell.start()
    farewell.join(FAREWELL_S)
    logging.shutdown()
    os._exit(0)  # threads that wait for workers or for a broker that is unreachable would hold the end up


if __name__ == "__main__":
    main()
