"""A real Redis for tests, which the embedded broker is not: over TLS, as a replica, watched by sentinels."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.support.broker import MAXMEMORY, Broker, give_up
from tests.support.processes import Process, free_port

PASSWORD: Final = "pass@word"
PASSWORD_IN_URL: Final = "pass%40word"
MASTER_NAME: Final = "voice"
# Debian's redis-tools: the server goes by the name it is called by, and redis-server stays off the PATH.
_TOOLS: Final = "redis-check-rdb"


def redis_binary(folder: Path) -> str:
    """Return a Redis server with TLS and Sentinel; without one the test is skipped, in CI it fails."""
    found = shutil.which("redis-server")
    if found:
        return found
    tools = shutil.which(_TOOLS)
    if tools is None:
        give_up("no Redis server on this machine: install redis-tools or redis-server")
    link = folder / "redis-server"
    if not link.exists():
        link.symlink_to(tools)
    return str(link)


def _words(options: dict[str, str]) -> list[str]:
    return [word for name, value in options.items() for word in (f"--{name}", value)]


class RedisServer(Broker):
    """One Redis with a password, on its own port of loopback."""

    def __init__(self, folder: Path, name: str, **options: str) -> None:
        """Choose a port; nothing is started yet."""
        self.port = free_port()
        self.url = f"redis://:{PASSWORD_IN_URL}@127.0.0.1:{self.port}/0"
        own = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(folder),
            "dbfilename": f"{name}.rdb",
            "save": "",
            "maxmemory": MAXMEMORY,
            "maxmemory-policy": "volatile-ttl",
            "requirepass": PASSWORD,
            "masterauth": PASSWORD,
            **{word.replace("_", "-"): value for word, value in options.items()},
        }
        Process.__init__(self, name, [redis_binary(folder), *_words(own)], folder=folder)


class TlsRedis(RedisServer):
    """A Redis that speaks TLS only, with a certificate of its own CA."""

    def __init__(self, folder: Path) -> None:
        """Make the certificate and choose a port; nothing is started yet."""
        self.ca_file, key_file = make_certificate(folder, "redis")
        super().__init__(
            folder,
            "tls-redis",
            port="0",
            tls_cert_file=str(self.ca_file),
            tls_key_file=str(key_file),
            tls_ca_cert_file=str(self.ca_file),
            tls_auth_clients="no",
        )
        self.command += ["--tls-port", str(self.port)]
        self.plain_url = f"rediss://:{PASSWORD_IN_URL}@127.0.0.1:{self.port}/0"
        self.url = f"{self.plain_url}?ssl_ca_certs={self.ca_file}"


class Sentinel(Process):
    """One of those who watch a master, and choose another when it is gone."""

    def __init__(self, folder: Path, number: int, *, master: RedisServer, quorum: int) -> None:
        """Write its file, which it keeps up to date itself; nothing is started yet."""
        self.port = free_port()
        config = folder / f"sentinel-{number}.conf"
        config.write_text(
            f"bind 127.0.0.1\nport {self.port}\ndir {folder}\n"
            f"sentinel monitor {MASTER_NAME} 127.0.0.1 {master.port} {quorum}\n"
            f"sentinel auth-pass {MASTER_NAME} {PASSWORD}\n"
            f"sentinel down-after-milliseconds {MASTER_NAME} 1000\n"
            f"sentinel failover-timeout {MASTER_NAME} 10000\n"
        )
        command = [redis_binary(folder), str(config), "--sentinel"]
        super().__init__(f"sentinel-{number}", command, folder=folder)


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Return the files of a certificate for 127.0.0.1, which is its own CA, and of its key."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    openssl = shutil.which("openssl")
    if openssl is None:
        give_up("no openssl on this machine")
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key
