"""The data folder is its owner's alone, and the password of the embedded broker lies in it."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.data_dir import PASSWORD_FILE, make_private, make_secret_file, read_password
from dispatcher.settings import load_settings


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """Give this process its umask back."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


def environ_of(data_dir: Path, port: int = 1) -> dict[str, str]:
    return {"DATA_DIR": str(data_dir), "BROKER_PORT": str(port)}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_process_makes_the_password_that_all_others_read(tmp_path: Path) -> None:
    environ = environ_of(tmp_path / "var")
    make_private(environ)
    password = read_password(tmp_path / "var")
    assert password is not None
    assert len(password) >= 32
    make_private(environ)
    assert read_password(tmp_path / "var") == password
    assert load_settings(environ).redis_url == f"redis://:{password}@127.0.0.1:1/0"
    assert not load_settings(environ).follows_redis
    assert password not in repr(load_settings(environ))


def test_a_given_redis_url_is_left_as_it_is_and_no_password_is_made(tmp_path: Path) -> None:
    environ = {**environ_of(tmp_path / "var"), "REDIS_URL": "redis://127.0.0.1:1/0"}
    make_private(environ)
    assert read_password(tmp_path / "var") is None
    make_private(environ_of(tmp_path / "var"))
    assert load_settings(environ).redis_url == "redis://127.0.0.1:1/0"


def test_files_of_before_the_upgrade_are_closed_to_others(tmp_path: Path) -> None:
    data_dir = tmp_path / "var"
    (data_dir / "broker" / "valkey-9").mkdir(parents=True)
    files = [data_dir / "records.sqlite3", data_dir / "broker" / "valkey-9" / "appendonly.aof"]
    outside = tmp_path / "outside"
    for file in (*files, outside):
        file.write_text("words")
        file.chmod(0o644)
    (data_dir / "link").symlink_to(outside)
    data_dir.chmod(0o755)
    make_private(environ_of(data_dir))
    assert [mode(file) for file in files] == [0o600, 0o600]
    assert {mode(folder) for folder in (data_dir, data_dir / "broker", files[1].parent)} == {0o700}
    assert mode(outside) == 0o644
    (data_dir / "new").write_text("later")
    assert mode(data_dir / "new") == 0o600


def test_a_checkout_that_is_its_own_data_folder_keeps_its_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "README.md").write_text("read me")
    (tmp_path / "README.md").chmod(0o644)
    monkeypatch.chdir(tmp_path)
    make_private(environ_of(Path()))
    assert mode(tmp_path / "README.md") == 0o644
    assert mode(tmp_path / PASSWORD_FILE) == 0o600


def test_a_broker_of_before_the_upgrade_that_still_runs_is_spoken_to_without_a_password(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(64)
                connection.sendall(b"+PONG\r\n")

        threading.Thread(target=answer, daemon=True).start()
        environ = environ_of(tmp_path / "var", server.getsockname()[1])
        make_private(environ)
    assert read_password(tmp_path / "var") is None
    assert load_settings(environ).redis_url == f"redis://127.0.0.1:{environ['BROKER_PORT']}/0"


def test_processes_that_start_at_the_same_moment_agree_on_one_password(tmp_path: Path) -> None:
    path = tmp_path / "password"
    threads = [
        threading.Thread(target=make_secret_file, args=(path, f"password-of-{number}")) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text().startswith("password-of-")
    assert [each.name for each in tmp_path.iterdir()] == ["password"]
