"""Layout of an nginx: its files and ports on a machine of its own, and in the container."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class NginxLayout:
    """What the YAML does not say because it belongs to the machine.

    Attributes:
        user: who workers become; empty where nginx is not started as root.
        http_port, https_port: where devices come in.
        services_listen: address of the model services, for those inside; never open to the world.
        pid: the file with its process id.
        run_dir: sockets of the relays and bodies under way; it exists.
        cache_dir: speech that was synthesised; its parent exists.
        access_log, error_log: files, or a container's own output.
        ca_file: whom a remote service's certificate must come from.
        resolver: the name server that knows the remote services, and the console where it has a name.
        console: host and port of the console, which need not run.
    """

    user: str = ""
    http_port: int = 80
    https_port: int = 443
    services_listen: str = "127.0.0.1:8090"
    pid: str = "/run/nginx.pid"
    run_dir: str = "/var/lib/nginx"
    cache_dir: str = "/var/cache/nginx-speech"
    access_log: str = "/var/log/nginx/access.log"
    error_log: str = "/var/log/nginx/error.log"
    ca_file: str = "/etc/ssl/certs/ca-certificates.crt"
    resolver: str = "127.0.0.53"
    console: str = "127.0.0.1:8010"


# Debian's package: its unit looks for this pid file, and its folders exist.
NATIVE: Final = NginxLayout(user="www-data")
# Nobody is root in the container, so ports are high; what is written lies on tmpfs or in a volume.
DOCKER: Final = NginxLayout(
    http_port=8080,
    https_port=8443,
    services_listen="8090",
    pid="/run/nginx/nginx.pid",
    run_dir="/run/nginx",
    cache_dir="/var/cache/nginx/speech",
    access_log="/dev/stdout",
    error_log="/dev/stderr",
    resolver="127.0.0.11",
    console="console:8010",
)
