"""Signals to the children of a supervisor, by its marker in a real Redis."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from dispatcher.errors import StateError
from dispatcher.ops.chaos.supervised_environment import SupervisedEnvironment
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from tests.support.broker import Broker
from tests.support.waiting import eventually


async def test_a_stopped_broker_goes_on_though_it_cannot_be_asked_whose_it_is(fresh_broker: Broker) -> None:
    redis, host = RedisClient(connect(fresh_broker.url)), socket.gethostname()
    waiting = (sys.executable, "-c", "import signal; signal.pause()")
    with subprocess.Popen(waiting) as child:  # noqa: ASYNC220  it starts at once
        try:
            part = {"name": "broker", "role": "broker", "pid": child.pid, "port": None}
            marker = {"host": host, "pid": os.getpid(), "parts": [part]}
            await redis.execute("SET", keys.verify_mark(host), json.dumps(marker))
            environment = SupervisedEnvironment(redis)
            (process,) = await environment.processes()
            await environment.send(process, signal.SIGSTOP)
            eventually(lambda: is_stopped(child.pid), what="it is stopped")
            fresh_broker.kill()
            with pytest.raises(StateError):
                await environment.processes()
            await environment.send(process, signal.SIGCONT)
            eventually(lambda: not is_stopped(child.pid), what="it goes on")
        finally:
            child.kill()
            await redis.close()


def is_stopped(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED
