#!/usr/bin/env python3
"""Stand-in for Ollama where no registry of images is reached: its command line and pages over the timed LLM.

`serve`, `list` and `pull MODEL` read OLLAMA_HOST and OLLAMA_MODELS as the real ones do. A model is a marker
in the folder of models; a chat with one that was not pulled is refused in Ollama's words.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import Request, urlopen

from aiohttp import web

from dispatcher.bundled.request_errors import answer_errors
from dispatcher.bundled.routes.chat import CHAT, answer_chat
from dispatcher.bundled.timed_engines import TimedLlm, TimedLlmOptions

MODEL_BYTES: Final = 986_000_000
# As long as a fast line takes for such a model; PULL_S says otherwise.
PULL_S: Final = 60.0
PULL_STEPS: Final = 20


class StandIn:
    """Pages of the stand-in; what was pulled outlives it."""

    def __init__(self, folder: Path, pull_s: float) -> None:
        """Keep markers in this folder, each after so long a download."""
        self._folder = folder
        self._step_s = pull_s / PULL_STEPS
        self._engine = TimedLlm(TimedLlmOptions())

    def app(self) -> web.Application:
        """Return the application, with the pages that the deployment asks for."""
        app = web.Application(middlewares=[answer_errors], client_max_size=CHAT.max_body_bytes)
        app.router.add_get("/", self.banner)
        app.router.add_get("/api/tags", self.tags)
        app.router.add_get("/v1/models", self.models)
        app.router.add_post("/api/pull", self.pull)
        app.router.add_post(CHAT.path, self.chat)
        return app

    def pulled(self) -> list[str]:
        """Return the models that were pulled."""
        return sorted(path.name for path in self._folder.glob("*:*"))

    async def banner(self, _: web.Request) -> web.Response:
        """Answer what a browser is shown."""
        return web.Response(text="Ollama is running")

    async def tags(self, _: web.Request) -> web.Response:
        """Answer the list of `ollama list`."""
        models = [{"name": name, "model": name, "size": MODEL_BYTES} for name in self.pulled()]
        return web.json_response({"models": models})

    async def models(self, _: web.Request) -> web.Response:
        """Answer the list of the OpenAI dialect."""
        models = [{"id": name, "object": "model", "owned_by": "library"} for name in self.pulled()]
        return web.json_response({"object": "list", "data": models})

    async def pull(self, request: web.Request) -> web.StreamResponse:
        """Answer the progress of a download, a JSON a line, and keep its marker."""
        name = (await request.json())["model"]
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)

        async def tell(**progress: object) -> None:
            await response.write(json.dumps(progress).encode() + b"\n")

        await tell(status="pulling manifest")
        for step in range(1, PULL_STEPS + 1):
            await asyncio.sleep(self._step_s)
            await tell(status="pulling layer", total=MODEL_BYTES, completed=MODEL_BYTES * step // PULL_STEPS)
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / name).touch()
        await tell(status="success")
        return response

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Answer a dialogue whose model was pulled."""
        name = json.loads(await request.read()).get("model")
        if name not in self.pulled():
            error = {"message": f'model "{name}" not found, try pulling it first', "type": "api_error"}
            return web.json_response({"error": error}, status=404)
        return await answer_chat(self._engine, request)


def main(words: list[str], environ: Mapping[str, str]) -> int:
    """Run one command of Ollama's and return its exit code."""
    host = environ.get("OLLAMA_HOST", "127.0.0.1:11434").removeprefix("http://")
    if words == ["serve"]:
        address, _, port = host.rpartition(":")
        folder = Path(environ.get("OLLAMA_MODELS", "models"))
        stand_in = StandIn(folder, float(environ.get("PULL_S", PULL_S)))
        web.run_app(stand_in.app(), host=address, port=int(port), access_log=None, print=None)
        return 0
    try:
        if words == ["list"]:
            with urlopen(f"http://{host}/api/tags", timeout=10) as answer:
                names = [each["name"] for each in json.load(answer)["models"]]
            sys.stdout.write("\n".join(["NAME", *names]) + "\n")
            return 0
        if words[:1] == ["pull"] and len(words) == 2:
            body = json.dumps({"model": words[1]}).encode()
            with urlopen(Request(f"http://{host}/api/pull", body)) as answer:
                for line in answer:
                    sys.stderr.write(line.decode())
            return 0
    except URLError as error:
        sys.stderr.write(f"Error: {error.reason}\n")
        return 1
    sys.stderr.write("the stand-in knows serve, list and pull MODEL\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
