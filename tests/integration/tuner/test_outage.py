"""The broker goes away while the control worker looks round."""

from __future__ import annotations

from pathlib import Path

from redis import Redis

from dispatcher.messages import CONTROL_QUEUE, TUNE
from tests.integration.records.conftest import control_worker, send
from tests.support.broker import Broker
from tests.support.instances import Instances
from tests.support.waiting import eventually


def test_a_step_that_meets_a_broker_that_goes_away_is_told_in_a_line(
    tmp_path: Path, fresh_broker: Broker, instances: Instances
) -> None:
    url = f"sqlite:///{tmp_path / 'records.sqlite3'}"

    def is_taken() -> bool:
        with Redis.from_url(fresh_broker.url) as client:
            return not client.llen(CONTROL_QUEUE)

    with control_worker(tmp_path, broker=fresh_broker, instances=instances, database_url=url) as worker:
        send(fresh_broker, TUNE)
        # It asks the workers for a second first.
        eventually(is_taken, what="the step is taken")
        fresh_broker.kill()
        eventually(lambda: "no step of the tuner" in worker.output(), what="the step is given up")
        assert "raised unexpected" not in worker.output()
