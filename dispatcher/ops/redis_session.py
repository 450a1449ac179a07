"""Session with Redis for the length of one command; a failure is one clear line."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Concatenate, ParamSpec, TypeAlias, TypeVar

import click
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rich.console import RenderableType

from dispatcher.errors import ConfigError, StateError
from dispatcher.logs import configure_logging
from dispatcher.redis_client.client import RedisClient, cache_client, connect
from dispatcher.redis_url import parse_redis_url
from dispatcher.supervisor.resolve_settings import resolve_settings
from dispatcher.terminal.console import print_view

Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")
Answer: TypeAlias = RenderableType | list[str]
_TLS_WORDS = ("SSL", "TLS", "certificate")
_PASSWORD_WORDS = ("NOAUTH", "WRONGPASS", "already authenticated", "without any password", "invalid password")
_UNREACHABLE = (RedisConnectionError, RedisTimeoutError, OSError)


def redis_command(
    command: Callable[Concatenate[RedisClient, Parameters], Awaitable[Result]],
) -> Callable[Parameters, Result]:
    """Return a plain function that runs a coroutine function with a client of the Redis of REDIS_URL."""

    @functools.wraps(command)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        return with_redis(lambda redis: command(redis, *args, **kwargs))

    return run


def prints_answer(
    command: Callable[Concatenate[RedisClient, Parameters], Awaitable[Answer]],
) -> Callable[Parameters, None]:
    """Return a plain function that runs a coroutine function with Redis and prints its lines or its view."""
    answer_of = redis_command(command)

    @functools.wraps(command)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        answer = answer_of(*args, **kwargs)
        if isinstance(answer, str | list):
            click.echo(answer if isinstance(answer, str) else "\n".join(answer))
        else:
            print_view(answer)

    return run


def with_redis(use: Callable[[RedisClient], Awaitable[Result]]) -> Result:
    """Return what `use` makes of a client of the Redis of REDIS_URL.

    Raises:
        StateError: no Redis answers there; the text says where, and never the password.
        ConfigError: REDIS_URL is no address of a Redis.
    """
    settings = resolve_settings()
    if "log_level" not in settings.model_fields_set:  # the answer is what the command prints
        settings = settings.model_copy(update={"log_level": "error"})
    configure_logging(settings)
    try:
        return asyncio.run(_use(settings.redis_url, use))
    except StateError as error:
        raise StateError(explain(error, settings.redis_url)) from error


@asynccontextmanager
async def cache_session(redis: RedisClient) -> AsyncGenerator[RedisClient]:
    """Yield the client of CACHE_URL, which is the one given where both are the same Redis."""
    cache = cache_client(resolve_settings(), redis)
    try:
        yield cache
    finally:
        if cache is not redis:
            await cache.close()


def explain(error: StateError, redis_url: str) -> str:
    """Return what an operator can do about an error of Redis."""
    cause = error.__cause__
    where = parse_redis_url(redis_url)
    if any(word in str(error) for word in _PASSWORD_WORDS):
        return (
            f"the Redis at {where} wants another password: set DATA_DIR to the folder of the deployment "
            "that runs, whose redis-password is read without REDIS_URL; or write it into REDIS_URL"
        )
    if isinstance(cause, AuthenticationError) or not isinstance(cause, _UNREACHABLE):
        return str(error)
    if any(word in str(error) for word in _TLS_WORDS):
        return f"the Redis at {where} is not trusted: {error}; REDIS_CA_FILE names who signed its certificate"
    return f"no Redis answers at {where}; start it (`dispatcher up`), or set REDIS_URL to the one in use"


async def _use(redis_url: str, use: Callable[[RedisClient], Awaitable[Result]]) -> Result:
    try:
        redis = RedisClient(connect(redis_url))
    except ValueError as error:
        raise ConfigError([f"REDIS_URL: {error}"]) from error
    try:
        return await use(redis)
    finally:
        with suppress(StateError):
            await redis.close()
