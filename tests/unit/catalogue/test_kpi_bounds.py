"""The bounds of the figures and the rules of their alerts, as the YAML says them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher.catalogue import AlertRules, KpiTargets
from dispatcher.catalogue.codec import decode, encode
from dispatcher.catalogue.kpi_targets import CountBound, RatioBound, TimeBound
from tests.unit.catalogue.files import CatalogueFile, file_with


def test_half_of_a_bound_leaves_the_other_half_as_it_is(catalogue_file: CatalogueFile) -> None:
    more = (
        "kpis: {window: 1m, errors: {alert: 0.2}, failover: {target: 2s}, devices: {target: 30, alert: 40}}"
    )
    catalogue = catalogue_file.loads_as(file_with(more=more))
    assert catalogue.kpis == replace(
        KpiTargets(),
        window_s=60,
        errors=RatioBound(target=0.01, alert=0.2),
        failover=TimeBound(target=2, alert=60),
        devices=CountBound(target=30, alert=40),
    )
    assert decode(encode(catalogue)) == catalogue


def test_alerts_name_their_secret_and_never_hold_it(catalogue_file: CatalogueFile) -> None:
    url = "https://hooks.example.org/T0/token?x=1"
    times = "after: 1m, clear_after: 2m, hysteresis: 0.2"
    more = f"alerts: {{{times}, webhook_url: '{url}', secret_env: HOOK_SECRET}}"
    catalogue = catalogue_file.loads_as(file_with(more=more), {"HOOK_SECRET": "s3cret"})
    assert catalogue.alerts == AlertRules(
        after_s=60, clear_after_s=120, hysteresis_ratio=0.2, webhook_url=url, secret_env="HOOK_SECRET"
    )
    assert "s3cret" not in encode(catalogue)


def test_the_secret_is_looked_up_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    assert AlertRules(secret_env="HOOK_SECRET").secret() == "s3cret"
    assert AlertRules().secret() is None


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("kpis: {cpu: {target: 80}}", "kpis.cpu.target: was 80; expected a number of 0 to 1"),
        (
            "kpis: {errors: {target: 0.2, alert: 0.1}}",
            "kpis.errors: has target 0.2, alert 0.1; expected an alert that is not below its target",
        ),
        ("kpis: {cpu: {target: 0.95}}", "kpis.cpu: has target 0.95, alert 0.9 (the default); expected an"),
        ("kpis: {devices: {alert: 10}}", "kpis.devices: has target 50 (the default), alert 10; expected"),
        ("kpis: {erors: {}}", "kpis.erors: unknown key; did you mean errors?"),
        ("alerts: {webhook_url: 'ftp://host/x'}", "expected a URL that starts with http:// or https://, wit"),
        (
            "alerts: {webhook_url: 'http://me:pw@host/x'}",
            "expected a URL that starts with http:// or https://, ",
        ),
        (
            "alerts: {webhook_url: 'http://ho st/'}",
            "expected a URL that starts with http:// or https://, without",
        ),
        (
            "alerts: {webhook_url: 'http://[/'}",
            "expected a URL that starts with http:// or https://, without us",
        ),
        (
            "alerts: {secret_env: HOOK}",
            "was 'HOOK', which is not set; expected a variable that holds the key",
        ),
    ],
)
def test_what_cannot_be_kept_to_is_refused_with_its_line(
    catalogue_file: CatalogueFile, section: str, problem: str
) -> None:
    (found,) = catalogue_file.problems(file_with(more=section))
    assert found.startswith("8: ")
    assert problem in found
    assert "pw" not in found


def test_a_secret_in_the_place_of_its_name_is_not_shown(catalogue_file: CatalogueFile) -> None:
    (found,) = catalogue_file.problems(file_with(more="alerts: {secret_env: sk-12345}"))
    assert "12345" not in found
