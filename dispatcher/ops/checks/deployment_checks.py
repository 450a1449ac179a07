"""Checks of what is beside the dispatcher: nginx's files, compose file, weights, scrape, webhook."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dispatcher.catalogue.model import Catalogue
from dispatcher.control.added_instances import with_added
from dispatcher.ops.checks.deployment_snapshot import Snapshot
from dispatcher.ops.checks.finding import Finding, judged, not_applicable
from dispatcher.ops.nginx import DOCKER, NATIVE, at_front, render
from dispatcher.ops.nginx.render import FRONTS_FOLDER, UPSTREAMS


def nginx_files(snapshot: Snapshot) -> Iterator[Finding]:
    """Compare nginx's upstreams, and the weights for the fronts, with what the YAML renders."""
    name, expected = "nginx files", f"{UPSTREAMS} and {FRONTS_FOLDER}/ as the YAML renders them"
    if snapshot.nginx_files is None or snapshot.catalogue is None:
        yield not_applicable(name, "no --nginx-files was given", expected)
        return
    catalogue = at_front(with_added(snapshot.catalogue, {}), snapshot.scope.settings.front_port)
    differing = min((_differing(snapshot.nginx_files, catalogue, each) for each in (NATIVE, DOCKER)), key=len)
    saw = (
        f"another text in {', '.join(differing)}"
        if differing
        else f"all {len(snapshot.nginx_files)} as rendered"
    )
    yield judged(name, good=bool(snapshot.nginx_files) and not differing, saw=saw, expected=expected)


def front_weights(snapshot: Snapshot) -> Iterator[Finding]:
    """Compare the INSTANCE_WEIGHT that each front was started with, by its own word, with nginx's."""
    servers = snapshot.catalogue.nginx.upstream_servers if snapshot.catalogue else ()
    weights = {f"http://{each.server}": each.weight for each in servers}
    for url, answer in snapshot.front_health.items():
        name, wanted = f"weight of {url}", weights.get(url.rstrip("/"))
        if wanted is None:
            yield not_applicable(
                name, "the YAML's upstream_servers do not name it", "INSTANCE_WEIGHT as there"
            )
            continue
        weight = _json(answer.text).get("weight") if answer.status == 200 else None
        saw = answer.text[:100] if weight is None else f"INSTANCE_WEIGHT={weight}"
        yield judged(
            name, good=weight == wanted, saw=saw, expected=f"INSTANCE_WEIGHT={wanted}, as nginx has it"
        )


def compose_file(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that containers of a compose file have limits and come back, and the weights of fronts."""
    expected = "limits, `restart`, and INSTANCE_WEIGHT as in the YAML for each"
    if snapshot.compose is None:
        yield not_applicable("compose file", "no --compose was given", expected)
        return
    wrong = [*_compose_problems(snapshot.compose.services), *snapshot.compose.problems]
    for server in snapshot.catalogue.nginx.upstream_servers if snapshot.catalogue else ():
        front = server.server.partition(":")[0]
        given = snapshot.compose.weights.get(front)
        if front in snapshot.compose.services and given != str(server.weight):
            wrong.append(f"{front}: INSTANCE_WEIGHT {given or 'not set'}, {server.weight} in the YAML")
    saw = "; ".join(wrong) or f"{len(snapshot.compose.services)} containers"
    yield judged(
        "compose file", good=bool(snapshot.compose.services) and not wrong, saw=saw, expected=expected
    )


def scrape(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that Prometheus reaches all that it is to scrape."""
    name, expected = "scrape", "every active target of Prometheus is up"
    answer = snapshot.scrape
    if answer is None:
        yield not_applicable(name, "no --prometheus was given", expected)
        return
    found = _json(answer.text).get("data")
    targets = found.get("activeTargets", []) if isinstance(found, dict) else []
    down = [str(each.get("scrapeUrl")) for each in targets if each.get("health") != "up"]
    saw = f"down: {', '.join(down)}" if down else f"{len(targets)} up" if targets else answer.text[:100]
    yield judged(name, good=bool(targets) and not down, saw=saw, expected=expected)


def webhook(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that something answers at the address of alerts; nothing is posted to it."""
    name, expected = "webhook of alerts", "the address answers, and messages are signed"
    rules = snapshot.catalogue.alerts if snapshot.catalogue else None
    if rules is None or rules.webhook_url is None or snapshot.webhook is None:
        yield not_applicable(name, "alerts are in the log and the records alone", expected)
        return
    signed = f"signed with {rules.secret_env}" if rules.secret_env else "not signed"
    # The address may hold a token in its path, so it is not shown.
    saw = f"it answers {snapshot.webhook.status}" if snapshot.webhook.status else snapshot.webhook.text[:100]
    good = bool(snapshot.webhook.status) and rules.secret_env is not None
    yield judged(name, good=good, saw=f"{saw}; {signed}", expected=expected)


def _differing(files: Mapping[str, str], catalogue: Catalogue, layout: Any) -> list[str]:
    rendered = {
        name: text
        for name, text in render(catalogue, layout).items()
        if name == UPSTREAMS or name.startswith(FRONTS_FOLDER)
    }
    return sorted(name for name, text in rendered.items() if files.get(name) != text)


def _compose_problems(services: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, each in services.items():
        unlimited = [key for key in ("cpus", "mem_limit") if key not in each and "deploy" not in each]
        if unlimited:
            yield f"{name}: no {' and no '.join(unlimited)}"
        if not each.get("restart") and "deploy" not in each:
            yield f"{name}: no restart"


def _json(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
