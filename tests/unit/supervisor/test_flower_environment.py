"""What `dispatcher flower` hands on to Flower, above all its password."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dispatcher.errors import ConfigError, DispatcherError, StartError
from dispatcher.settings import Settings
from dispatcher.supervisor.flower_environment import flower_environment
from dispatcher.supervisor.operator_password import make_password, read_operator_password


def handed_on(data_dir: Path, environ: dict[str, str] | None = None, **settings: Any) -> dict[str, str]:
    return flower_environment(Settings(data_dir=data_dir, **settings), environ or {})


def test_a_password_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    first = Path(handed_on(tmp_path / "var")["FLOWER_PASSWORD_FILE"])
    password = first.read_text()
    again = Path(handed_on(tmp_path / "var")["FLOWER_PASSWORD_FILE"])

    assert first == again == tmp_path / "var" / "flower-password"
    assert again.read_text() == password
    assert len(password.strip()) >= 20
    assert first.stat().st_mode & 0o777 == 0o600


def test_a_password_file_that_others_may_read_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "flower-password"
    path.write_text("long enough")
    path.chmod(0o644)
    make_password(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == "long enough"


def test_a_given_password_is_handed_on_and_no_file_is_made(tmp_path: Path) -> None:
    assert handed_on(tmp_path, flower_password="open sesame")["FLOWER_PASSWORD"] == "open sesame"
    assert list(tmp_path.iterdir()) == []


def test_a_given_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="no-such"):
        handed_on(tmp_path, flower_password_file=str(tmp_path / "no-such"))


@pytest.mark.parametrize("password", ["short", "пароль-пароль", "with\nline end"])
def test_a_password_that_cannot_be_used_is_refused_without_being_quoted(
    tmp_path: Path, password: str
) -> None:
    with pytest.raises(ConfigError, match="expected 8 or more printable ASCII characters") as caught:
        handed_on(tmp_path, flower_password=password)
    assert password not in str(caught.value)


def test_the_operators_password_opens_flower_unless_it_has_one_of_its_own(tmp_path: Path) -> None:
    assert handed_on(tmp_path, operator_password="open sesame")["FLOWER_PASSWORD"] == "open sesame"
    both = handed_on(tmp_path, operator_password="open sesame", flower_password="another one")
    assert both["FLOWER_PASSWORD"] == "another one"
    (tmp_path / "secret").write_text("from a file\n")
    named = Settings(data_dir=tmp_path, operator_password_file=str(tmp_path / "secret"))
    assert read_operator_password(named) == "from a file"
    made = handed_on(tmp_path / "var")["FLOWER_PASSWORD_FILE"]
    assert read_operator_password(Settings(data_dir=tmp_path / "var")) == Path(made).read_text().strip()
    with pytest.raises(ConfigError, match="OPERATOR_PASSWORD_FILE: was set beside"):
        read_operator_password(Settings(operator_password="open sesame", operator_password_file="file"))


def test_two_passwords_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(DispatcherError, match="expected one of the two"):
        handed_on(tmp_path, flower_password="open sesame", flower_password_file="file")


def test_flower_gets_its_settings_and_nothing_that_leads_to_this_environment(tmp_path: Path) -> None:
    ours = {"PYTHONPATH": "here", "FLOWER_BASIC_AUTH": "a:b", "HOME": "/root"}
    environ = handed_on(tmp_path, ours, flower_port=5556, flower_read_only=False)

    assert (environ["FLOWER_PORT"], environ["FLOWER_READ_ONLY"]) == ("5556", "false")
    assert environ["FLOWER_QUEUES"] == "asr,llm,tts,control"
    assert environ["HOME"] == "/root"
    assert not {"PYTHONPATH", "FLOWER_BASIC_AUTH"} & set(environ)
