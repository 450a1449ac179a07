"""Required keys of dialects: a forgotten one is found at start, not in the first call."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from dispatcher.catalogue.dialects import DEFAULT_PROVIDER, DIALECTS, Dialect
from dispatcher.catalogue.known_hosts import is_public, known_host
from dispatcher.catalogue.model import Catalogue, Instance
from dispatcher.catalogue.secrets import secret_problem
from dispatcher.catalogue.usage_rules import PRICED
from dispatcher.messages import Service

# Keys that only some services, by some dialects, have a use for; elsewhere they would be silently ignored.
_LLM_KEYS: Final = ("thinking", "temperature", "max_tokens")
_UNKNOWN: Final = Dialect(services=(), schemes=())
_BUILT_IN_LLM_PORTS: Final = range(8200, 8300)


def misplaced_keys(
    entry: Mapping[str, Any], at: tuple[str | int, ...], *, service: Service
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the keys that this service or dialect has no use for, each with its path."""
    provider = entry.get("provider") or DEFAULT_PROVIDER
    for key in _LLM_KEYS:
        if entry.get(key) is not None and service != "llm":
            yield (*at, key), "is for instances of llm_services only"
    if entry.get("normalize_text") is not None and service != "tts":
        yield (*at, "normalize_text"), "is for instances of tts_services only"
    if entry.get("num_ctx") is not None and provider != "ollama":
        yield (*at, "num_ctx"), "is for provider: ollama only"
    yield from _misplaced_prices(entry.get("price"), at, service=service)
    takers = [name for name, dialect in DIALECTS.items() if dialect.takes_extra_body]
    if entry.get("extra_body") is not None and provider not in takers:
        yield (*at, "extra_body"), f"is for provider: {' or '.join(takers)} only"


def _misplaced_prices(
    price: Any, at: tuple[str | int, ...], *, service: Service
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what of a price this service does not use."""
    priced = {name for names in PRICED.values() for name in names}
    for name in price if isinstance(price, dict) else ():
        if name in priced and name not in PRICED[service]:
            yield (
                (*at, "price", name),
                f"is nothing that {service} uses; expected {', '.join(PRICED[service])}",
            )


def what_is_missing(instance: Instance, environ: Mapping[str, str] | None = None) -> str:
    """Return what an instance lacks before it can be called, with what to write; nothing where it has all.

    `environ` is where its variables are looked up; this process's own when left out.
    """
    environ = os.environ if environ is None else environ
    host = known_host(instance.endpoint)
    variables = host.variables if host else {}
    needed = dict.fromkeys([*_dialect(instance.provider).required_keys, *variables])
    lacking = [key for key in needed if not getattr(instance, key)]
    examples = {**variables, **(host.examples if host else {})}
    words = [f"{key} is missing: write `{key}: {examples.get(key, '…')}` in its line" for key in lacking]
    for key in ("api_key_env", "api_secret_env"):
        name = getattr(instance, key)
        held = environ.get(name, "") if name else ""
        wrong = secret_problem(held) if held else "which is not set"
        if name and wrong:
            words.append(f"{key} is {name}, {wrong}: write `{name}=…` in the environment and start again")
    return "; ".join(words)


def warnings(catalogue: Catalogue, environ: Mapping[str, str]) -> Iterator[tuple[Instance, str]]:
    """Yield the instances that load and may not be what was meant, each with the reason."""
    for config in catalogue.services.values():
        for instance in config.instances:
            missing = what_is_missing(instance, environ)
            if missing:
                yield instance, f"not configured, no call goes to it: {missing}"
            elif _lacks_key(instance):
                yield instance, "its address is public and its line has no api_key_env"
            if instance.service == "llm" and instance.model is None and not _is_built_in(instance):
                yield instance, "its line has no model: the server may refuse, or answer with any that it has"


def _dialect(provider: str) -> Dialect:
    """Return a dialect; one that is not known asks for nothing, and is refused elsewhere."""
    return DIALECTS.get(provider, _UNKNOWN)


def _lacks_key(instance: Instance) -> bool:
    may_need_one = instance.api_key_env is None and not _dialect(instance.provider).is_free
    return may_need_one and is_public(instance.endpoint)


def _is_built_in(instance: Instance) -> bool:
    """Return whether an LLM has a port of the bundled assistants (Procfile)."""
    return urlsplit(instance.endpoint).port in _BUILT_IN_LLM_PORTS


def missing_keys(
    entry: Mapping[str, Any], at: tuple[str | int, ...], *, may_lack_keys: bool = False
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the keys that are missing, and an endpoint of the wrong kind, each with its path.

    A line that names a known host alone `may_lack_keys`: it is then not configured, and stops nobody.
    """
    provider = entry.get("provider") or DEFAULT_PROVIDER
    if not isinstance(provider, str):
        return
    dialect = _dialect(provider)
    for key in () if may_lack_keys else dialect.required_keys:
        if entry.get(key) is None:
            yield (*at, key), f"is missing; {provider} needs {', '.join(dialect.required_keys)}"
    endpoint = entry.get("endpoint")
    if isinstance(endpoint, str) and dialect.schemes and "://" in endpoint:
        scheme = endpoint.partition("://")[0].lower()
        if scheme in {"http", "https", "ws", "wss"} and scheme not in dialect.schemes:
            wanted = " or ".join(f"{each}://" for each in dialect.schemes)
            yield (*at, "endpoint"), f"was a {scheme}:// address; {provider} needs {wanted}"
