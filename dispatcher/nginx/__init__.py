"""The nginx in front of the fronts: its configuration, made from the one YAML file."""

from __future__ import annotations

from dispatcher.nginx.places import DOCKER, NATIVE, Places
from dispatcher.nginx.render import render

__all__ = ["DOCKER", "NATIVE", "Places", "render"]
