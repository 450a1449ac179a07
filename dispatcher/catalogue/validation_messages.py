"""Everything that is wrong with a catalogue, as lines that an operator can act on."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dispatcher.catalogue.dialects import DEFAULT_PROVIDER, DIALECTS, providers_of
from dispatcher.catalogue.document import Document, KeyPath
from dispatcher.catalogue.endpoints import normalise_endpoint
from dispatcher.catalogue.fields import VARIABLE_NAME, WHOLE
from dispatcher.catalogue.known_hosts import known_host
from dispatcher.catalogue.required_keys import misplaced_keys, missing_keys
from dispatcher.catalogue.schema import Root, default_name
from dispatcher.catalogue.secrets import passphrase_problem, secret_problem
from dispatcher.catalogue.section import Section, keys_of
from dispatcher.catalogue.usage_rules import budget_problems
from dispatcher.messages import SERVICES, Service, canonical_device_id

# Where, and what is wrong there.
Problem: TypeAlias = tuple[KeyPath, str]

_SHAPES = {
    "list_type": "a list",
    "dict_type": "a mapping",
    "dataclass_type": "a mapping",
    "tuple_type": "a list",
    "too_short": "at least one",
}
_SHOWN_CHARACTERS = 60
_INSTANCE_SECRETS = ("api_key_env", "api_secret_env")
_SECRET_KEYS = (*_INSTANCE_SECRETS, "secret_env", "token_env", "env_from")


def schema_problems(error: ValidationError) -> Iterator[Problem]:
    """Yield what the schema found."""
    for detail in error.errors():
        # pydantic says so as well where an entry of the list is wrong.
        if detail["type"] == "too_short" and detail["input"]:
            continue
        # A mapping's key that is wrong itself is marked so by pydantic.
        yield tuple(part for part in detail["loc"] if part != "[key]"), _schema_words(detail)


def catalogue_problems(
    data: Any, environ: Mapping[str, str], *, may_lack_keys: Collection[KeyPath] = ()
) -> Iterator[Problem]:
    """Yield what only shows across keys: doubled names and addresses, and variables that are not set.

    Works on the file's data and passes over what has the wrong shape, so that these are found in the same
    run as the schema's own problems.
    """
    gateway = _mapping(data, "load_balancing", "api_gateway")
    names: dict[str, KeyPath] = {}
    for service in SERVICES:
        entries = list(_entries(_list(gateway, f"{service}_services", "instances")))
        above: KeyPath = ("load_balancing", "api_gateway", f"{service}_services", "instances")
        yield from _doubled_instances(entries, above=above)
        for position, entry in entries:
            yield from _doubled_name(entry, (*above, position), service=service, names=names)
            is_bare = (*above, position) in may_lack_keys
            yield from _unfit(entry, (*above, position), environ, service=service, is_bare=is_bare)
    servers = _list(data, "load_balancing", "nginx_proxy", "upstream_servers")
    above = ("load_balancing", "nginx_proxy", "upstream_servers")
    addresses = ((position, entry.get("server")) for position, entry in _entries(servers))
    yield from _doubled(addresses, above=above, key="server")
    yield from _conversation_problems(data, instances=names)
    yield from _service_secrets(data, environ)


def _conversation_problems(data: Any, *, instances: Collection[str]) -> Iterator[Problem]:
    """Yield what is wrong with the devices, and with the budgets of devices, personas and instances."""
    devices, personas = (_mapping(data, "conversation", each) for each in ("devices", "personas"))
    yield from _doubled_devices(devices)
    yield from _unknown_personas(devices, personas)
    budgets = _mapping(data, "usage", "budgets")
    yield from budget_problems(budgets, instances=instances, personas=personas)


def _service_secrets(data: Any, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield the variables that alerts and MCP servers name and that are not set."""
    yield from _unset_variable(_mapping(data, "alerts"), ("alerts",), environ, key="secret_env")
    for name, entry in _mapping(data, "mcp_servers").items():
        if isinstance(entry, dict):
            yield from _unset_variable(entry, ("mcp_servers", name), environ, key="token_env")
            yield from _unset_listed(_list(entry, "env_from"), ("mcp_servers", name, "env_from"), environ)


def _unfit(
    entry: Mapping[str, Any], at: KeyPath, environ: Mapping[str, str], *, service: Service, is_bare: bool
) -> Iterator[Problem]:
    """Yield what of one instance's line does not fit its service, its dialect or the environment."""
    yield from _wrong_service(entry, at, service=service)
    yield from missing_keys(entry, at, may_lack_keys=is_bare)
    yield from misplaced_keys(entry, at, service=service)
    may_be_unset = known_host(entry.get("endpoint")) is not None
    for key in _INSTANCE_SECRETS:
        if not may_be_unset or environ.get(str(entry.get(key))):
            yield from _unset_variable(entry, at, environ, key=key)


def report(document: Document, problems: list[Problem]) -> list[str]:
    """Return one line for each problem, in the order of the file."""
    in_order = sorted(problems, key=lambda problem: document.line(problem[0]))
    return [f"{document.path}:{document.line(at)}: {_dotted(at)}{words}" for at, words in in_order]


def _schema_words(detail: ErrorDetails) -> str:
    """Return what is wrong, and what was expected, for one finding of pydantic."""
    kind, at = detail["type"], detail["loc"]
    if kind == "unexpected_keyword_argument":
        return _unknown_key(str(at[-1]), list(keys_of(_section_at(at[:-1]))))
    if kind == "missing":
        return f"is missing; expected {keys_of(_section_at(at[:-1]))[str(at[-1])].description}"
    if kind == WHOLE:
        return detail["msg"]
    expected = _SHAPES.get(kind, detail["msg"])
    # What stands there instead of a variable's name is most likely the key.
    secret = any(part in _SECRET_KEYS for part in at)
    was = "was something else" if secret else f"was {_shown(detail['input'])}"
    return f"{was}; expected {expected}"


def _unknown_key(key: str, known: list[str]) -> str:
    """Return the words for an unknown key, never with its value: that may be a secret."""
    close = get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
    return f"unknown key; {hint}"


def _section_at(at: KeyPath) -> type[Section]:
    """Return the section of the schema at a path; list positions and device ids lead no deeper."""
    section: type[Section] = Root
    for part in at:
        found = keys_of(section).get(str(part))
        section = (found.section if found else None) or section
    return section


def _shown(value: Any) -> str:
    """Return a value as the operator wrote it, shortened, without the parts of a URL that hold secrets."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "a mapping"
    text = re.sub(r"//.*@", "//***@", str(value))
    text = re.sub(r"[?#].*", "?***", text) if "//" in text else text
    text = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
    return repr(text) if isinstance(value, str) else text


def _dotted(at: KeyPath) -> str:
    """Return a path such as `a.b[1].c: `, or nothing for the root."""
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at)
    return f"{words.removeprefix('.')}: " if words else ""


def _doubled(values: Iterator[tuple[int, Any]], *, above: KeyPath, key: str) -> Iterator[Problem]:
    """Yield each list entry whose value an earlier one has already."""
    first: dict[str, int] = {}
    for position, value in values:
        if not isinstance(value, str):
            continue
        if value in first:
            yield (
                (*above, position, key),
                f"was {_shown(value)}, which {above[-1]}[{first[value]}] has already",
            )
        first.setdefault(value, position)


def _doubled_instances(entries: list[tuple[int, Mapping[str, Any]]], *, above: KeyPath) -> Iterator[Problem]:
    """Yield each instance whose endpoint, model and provider an earlier one has already.

    A cloud service has one address for all of its models, so the address alone says nothing.
    """
    alike = [
        (_endpoint(entry), str(entry.get("model")), str(entry.get("provider") or DEFAULT_PROVIDER))
        for _, entry in entries
    ]
    for at, each in enumerate(alike):
        first = alike.index(each)
        if each[0] is not None and first < at:
            words = f"was {_shown(each[0])}, which {above[-1]}[{entries[first][0]}] has already"
            more = " with the same model and provider" if each[1:] != ("None", DEFAULT_PROVIDER) else ""
            yield (*above, entries[at][0], "endpoint"), words + more


def _doubled_name(
    entry: Mapping[str, Any], at: KeyPath, *, service: Service, names: dict[str, KeyPath]
) -> Iterator[Problem]:
    """Yield a name that another instance of any service has, its own or by its place in the list."""
    name = entry.get("name") or default_name(service, int(at[-1]))
    if isinstance(name, str) and name in names:
        yield (*at, "name"), f"was {_shown(name)}, which {_dotted(names[name])[:-2]} has already"
    elif isinstance(name, str):
        names[name] = at


def _wrong_service(entry: Mapping[str, Any], at: KeyPath, *, service: Service) -> Iterator[Problem]:
    """Yield a provider that exists and does not serve this service."""
    provider = entry.get("provider")
    if isinstance(provider, str) and provider in DIALECTS and provider not in providers_of(service):
        served, fitting = ", ".join(DIALECTS[provider].services), ", ".join(providers_of(service))
        yield (*at, "provider"), f"was {provider!r}, which serves {served}; expected one of {fitting}"


def _unset_variable(
    entry: Mapping[str, Any], at: KeyPath, environ: Mapping[str, str], *, key: str
) -> Iterator[Problem]:
    name = entry.get(key)
    if not isinstance(name, str) or not VARIABLE_NAME.fullmatch(name):
        return
    held = environ.get(name)
    unusable = passphrase_problem if key == "secret_env" else secret_problem
    wrong = unusable(held) if held else "which is not set"
    if wrong:
        yield (*at, key), f"was {name!r}, {wrong}; expected a variable that holds the key"


def _unset_listed(names: list[Any], at: KeyPath, environ: Mapping[str, str]) -> Iterator[Problem]:
    for position, name in enumerate(names):
        if isinstance(name, str) and VARIABLE_NAME.fullmatch(name) and not environ.get(name):
            yield (*at, position), f"was {name!r}, which is not set; expected a variable that is"


def _doubled_devices(devices: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield device ids of which two mean the same device, written differently."""
    first: dict[str, str] = {}
    for device_id in devices:
        if canonical_device_id(device_id) in first:
            at = ("conversation", "devices", device_id)
            yield at, f"the device is there twice, first as {first[canonical_device_id(device_id)]}"
        first.setdefault(canonical_device_id(device_id), device_id)


def _unknown_personas(devices: Mapping[str, Any], personas: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield each device's persona that is not there."""
    expected = f"one of {', '.join(personas)}" if personas else "a name under conversation.personas"
    for device_id, rule in devices.items():
        name = _mapping(rule).get("persona")
        if isinstance(name, str) and name not in personas:
            at = ("conversation", "devices", device_id, "persona")
            yield at, f"was {_shown(name)}; expected {expected}"


def _endpoint(entry: Mapping[str, Any]) -> str | None:
    """Return the endpoint in its one spelling, or None where the schema refuses it anyway."""
    endpoint = entry.get("endpoint")
    try:
        return normalise_endpoint(endpoint) if isinstance(endpoint, str) else None
    except ValueError:
        return None


def _entries(values: list[Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the entries of a list that are mappings, with their places."""
    return ((position, entry) for position, entry in enumerate(values) if isinstance(entry, dict))


def _reach(data: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _mapping(data: Any, *keys: str) -> Mapping[str, Any]:
    """Return the mapping under the keys, empty where there is none."""
    found = _reach(data, keys)
    return found if isinstance(found, dict) else {}


def _list(data: Any, *keys: str) -> list[Any]:
    """Return the list under the keys, empty where there is none."""
    found = _reach(data, keys)
    return found if isinstance(found, list) else []
