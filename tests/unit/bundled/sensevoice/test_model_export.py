"""Where the files of SenseVoice come from, and what is said of those that cannot be used."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dispatcher.bundled.sensevoice import model_export
from dispatcher.bundled.sensevoice.model_export import SHA256, find_export
from dispatcher.errors import StartError
from tests.unit.bundled.sensevoice.sense_voice_files import EXPORT, OTHER, folder_with, sha256_of


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A hub with the tiny export below /good, and another file under its name below /bad."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "no-cache"))
    for folder in ("good", "bad"):
        (tmp_path / "hub" / folder).mkdir(parents=True)
        (tmp_path / "hub" / folder / "tokens.txt").write_bytes((EXPORT / "tokens.txt").read_bytes())
    (tmp_path / "hub" / "good" / "model.int8.onnx").write_bytes((EXPORT / "model.onnx").read_bytes())
    (tmp_path / "hub" / "bad" / "model.int8.onnx").write_bytes(b"something else")
    sums = {
        "model.int8.onnx": sha256_of(EXPORT / "model.onnx"),
        "tokens.txt": sha256_of(EXPORT / "tokens.txt"),
    }
    monkeypatch.setattr(model_export, "SHA256", sums)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "hub"))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_export_in_a_named_folder_is_taken_with_the_sums_beside_it(tmp_path: Path) -> None:
    found = find_export(data_dir=tmp_path, named_dir=EXPORT)
    assert (found.model, found.tokens) == (EXPORT / "model.onnx", EXPORT / "tokens.txt")


def test_a_hub_that_lacks_a_file_or_has_another_is_left_for_the_next_and_what_came_is_kept(
    hub: str, tmp_path: Path
) -> None:
    hubs = [f"{hub}/none", f"{hub}/bad", f"{hub}/good"]
    found = find_export(data_dir=tmp_path, hubs=hubs)
    assert found.model == tmp_path / "models" / "sensevoice" / "model.int8.onnx"
    assert sorted(path.name for path in found.model.parent.iterdir()) == ["model.int8.onnx", "tokens.txt"]
    assert find_export(data_dir=tmp_path, hubs=["http://127.0.0.1:9"]) == found
    found.model.write_bytes(b"damaged")
    with pytest.raises(StartError, match=r"model\.int8\.onnx has sha256 .* remove the file and start again"):
        find_export(data_dir=tmp_path, hubs=hubs)


def test_without_a_hub_it_is_said_why_and_what_to_do(hub: str, tmp_path: Path) -> None:
    with pytest.raises(StartError) as raised:
        find_export(data_dir=tmp_path, hubs=[f"{hub}/bad", "http://127.0.0.1:9"])
    said = str(raised.value)
    assert "model.int8.onnx was not fetched" in said
    assert "its file has sha256" in said
    assert "ASR_MODEL=/that/folder" in said
    assert list((tmp_path / "models" / "sensevoice").iterdir()) == []


def test_both_hubs_are_asked_and_a_mirror_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example/")
    first, second = model_export._hubs()
    assert first.startswith("https://hub.example/csukuangfj/sherpa-onnx-sense-voice")
    assert second.startswith("https://modelscope.cn/models/")


def test_a_folder_without_the_files_is_told_which(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"expected model\.int8\.onnx or model\.onnx, and tokens\.txt"):
        find_export(data_dir=tmp_path, named_dir=tmp_path / "none")


def test_a_file_with_another_sum_is_named(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "export")
    (folder / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(StartError, match=r"model\.onnx has sha256 .*; put .* right, or SHA256SUMS beside it"):
        find_export(data_dir=tmp_path, named_dir=folder)


def test_sums_may_be_written_with_the_path_of_the_folder(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "export")
    sums = folder / "SHA256SUMS"
    sums.write_text(sums.read_text("utf-8").replace("*", "./"), "utf-8")
    assert find_export(data_dir=tmp_path, named_dir=folder).model == folder / "model.onnx"


def test_a_file_that_no_sum_is_known_of_is_not_loaded(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "export")
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(StartError, match=r"sha256sum model\.onnx tokens\.txt > SHA256SUMS"):
        find_export(data_dir=tmp_path, named_dir=folder)
    assert set(SHA256) == {"model.int8.onnx", "tokens.txt"}


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (OTHER, "is no SenseVoice model for sherpa-onnx, it has no lfr_window_size"),
        (b"a text in the place of a model", "it is no ONNX file"),
        (b"", "it has no vocab_size"),
        ((EXPORT / "model.onnx").read_bytes()[:2000], "not all of one"),
    ],
)
def test_a_model_of_another_kind_is_told_and_never_handed_to_the_library(
    tmp_path: Path, model: Path | bytes, says: str
) -> None:
    folder = folder_with(tmp_path / "export", model=model)
    with pytest.raises(StartError, match=says):
        find_export(data_dir=tmp_path, named_dir=folder)


def test_tokens_of_another_export_are_told(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "export", tokens="<unk> 0\n")
    with pytest.raises(StartError, match="has 1 tokens, the model beside it 10"):
        find_export(data_dir=tmp_path, named_dir=folder)
