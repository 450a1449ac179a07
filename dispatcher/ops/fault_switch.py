"""Switch of a timed instance: it fails in a mode until the switch is set back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from dispatcher.bundled.fault_setting import Fault
from dispatcher.errors import StartError, in_words

SWITCH_TIMEOUT: Final = aiohttp.ClientTimeout(total=3)


class FaultUnavailable(StartError):
    """A fault cannot be injected here; the message says why. Others may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSwitch:
    """The switch of one instance, which listens at `url`."""

    session: aiohttp.ClientSession
    name: str
    url: str

    async def set(self, fault: Fault, *, for_s: float | None = None) -> None:
        """Let the instance fail; after `for_s` it is healthy by itself, should this process be gone by then.

        Raises:
            FaultUnavailable: it refused, or is unreachable.
        """
        body: dict[str, Any] = {"mode": fault.mode, "value": fault.value or None}
        body |= {} if for_s is None else {"for_s": for_s}
        try:
            async with self.session.post(f"{self.url}/faults", json=body, timeout=SWITCH_TIMEOUT) as answer:
                if answer.status != 200:
                    raise FaultUnavailable(f"{self.name} refused {fault.mode}: {await answer.text()}")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise FaultUnavailable(f"{self.name} cannot be told to fail: {in_words(error)}") from error

    async def exists(self) -> bool:
        """Return whether the instance has such a switch."""
        try:
            async with self.session.get(f"{self.url}/faults", timeout=SWITCH_TIMEOUT) as answer:
                return bool(answer.status == 200)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False
