"""A real MariaDB for tests: its own port and folder, killed, frozen and restarted at will."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.support.broker import give_up
from tests.support.processes import Process, free_port
from tests.support.waiting import eventually

# Small and quick: what a test writes need not outlive the machine.
OPTIONS: Final = (
    "--no-defaults",
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=16M",
    "--innodb-flush-log-at-trx-commit=2",
    "--performance-schema=OFF",
)


class MariaDB(Process):
    """The store of records of a test; what is in it survives `kill`."""

    def __init__(self, folder: Path) -> None:
        """Make the system tables and choose a port; nothing is started yet."""
        self.port = free_port()
        self.user = getpass.getuser()
        self._socket = folder / "db.sock"
        own = (f"--datadir={folder / 'data'}", f"--user={self.user}")
        _run(
            _program("mariadb-install-db"), "--no-defaults", *own, "--auth-root-authentication-method=normal"
        )
        server = (_program("mariadbd"), *OPTIONS, *own, f"--socket={self._socket}", f"--port={self.port}")
        super().__init__("mariadb", server, folder=folder)

    def url(self, database: str) -> str:
        """Return the URL of a database on it."""
        return f"mysql+pymysql://tester:secret-word@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        super().start()
        eventually(self._answers, what="an answer of MariaDB")

    def run_sql(self, statements: str) -> str:
        """Return what the server's own client prints for some statements."""
        return _run(_program("mariadb"), *self._client(), "--batch", "--skip-column-names", "-e", statements)

    def make(self, database: str) -> str:
        """Make an empty database and return its URL."""
        self.run_sql(
            f"CREATE OR REPLACE DATABASE {database};"
            "CREATE USER IF NOT EXISTS 'tester'@'%' IDENTIFIED BY 'secret-word';"
            f"GRANT ALL ON {database}.* TO 'tester'@'%'"
        )
        return self.url(database)

    def _answers(self) -> bool:
        assert self.runs, self.output()
        ping = [_program("mariadb-admin"), *self._client(), "ping"]
        return subprocess.run(ping, capture_output=True, check=False).returncode == 0

    def _client(self) -> tuple[str, ...]:
        return ("--no-defaults", f"--socket={self._socket}", "--user=root")


def _program(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/bin") or shutil.which(name)
    if found is None:
        give_up(f"no {name} on this machine: install mariadb-server")
    return found


def _run(*command: str) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
