"""scripts/compose_trial.sh: it builds what its test starts, and replaces nothing but images."""

from __future__ import annotations

import re
import subprocess

from tests.integration.deployment.test_docker_stack import IMAGES, OFFLINE, STAND_INS
from tests.support.processes import ROOT


def test_the_trial_builds_what_it_starts_and_replaces_images_alone() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    script = (ROOT / "scripts/compose_trial.sh").read_text(encoding="utf-8")
    subprocess.run(["bash", "-n", ROOT / "scripts/compose_trial.sh"], check=True)
    built = {*re.findall(r"^    build (\w+)", script, re.MULTILINE)}
    stand_ins = re.findall(r"for name in ([\w ]+); do\n        build", script)[0].split()
    targets = re.findall(r" AS (\w+)", (ROOT / "config/docker/Dockerfile.airgapped").read_text("utf-8"))

    assert {f"xiaozhi-{name}" for name in (*built, *stand_ins)} == set(IMAGES)
    assert stand_ins == targets
    assert all(f"${{{variable}:-" in compose for variable in {**STAND_INS, **OFFLINE})
