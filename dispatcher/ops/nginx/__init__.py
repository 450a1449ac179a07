"""The nginx in front of the fronts: its configuration, made from the one YAML file."""

from __future__ import annotations

from dispatcher.ops.nginx.layout import DOCKER, NATIVE, NginxLayout
from dispatcher.ops.nginx.render import render
from dispatcher.ops.nginx.upstreams import at_front

__all__ = ["DOCKER", "NATIVE", "NginxLayout", "at_front", "render"]
