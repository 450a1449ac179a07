"""Which provider speaks which dialect; a new dialect is one file and one line here."""

from __future__ import annotations

import aiohttp

from dispatcher.catalogue.model import Instance
from dispatcher.errors import ConfigError
from dispatcher.providers.base import Provider
from dispatcher.providers.openai_http import OpenAiHttp, new_session


class Providers:
    """The providers of one event loop; all share one HTTP session."""

    def __init__(self) -> None:
        """Open the session; must be called inside the loop that will use it."""
        self._session: aiohttp.ClientSession = new_session()
        self._by_name: dict[str, Provider] = {"openai_http": OpenAiHttp(self._session)}

    def of(self, instance: Instance) -> Provider:
        """Return the provider of an instance.

        Raises:
            ConfigError: the instance names a dialect that nobody speaks.
        """
        try:
            return self._by_name[instance.provider]
        except KeyError:
            known = ", ".join(sorted(self._by_name))
            raise ConfigError(
                [f"{instance.name}.provider: was {instance.provider!r}; expected one of {known}"]
            ) from None

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()
