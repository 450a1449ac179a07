#!/bin/sh
# Builds dist/ (sdist and wheel) and tries the wheel in an empty environment: `make release`.
set -eu
cd "$(dirname "$0")/.."

rm -rf dist
.venv/bin/uv build --quiet --no-build-isolation --python .venv/bin/python --out-dir dist
tried=$(mktemp -d)
trap 'rm -rf "$tried"' EXIT
.venv/bin/uv venv --quiet --python .venv/bin/python "$tried/venv"
.venv/bin/uv pip install --quiet --python "$tried/venv/bin/python" --require-hashes --requirement requirements.txt
.venv/bin/uv pip install --quiet --python "$tried/venv/bin/python" --no-deps dist/*.whl
cd "$tried"
# Outside the checkout only what the wheel carries can be found.
venv/bin/dispatcher --help > help.txt
venv/bin/python -c "import workers.celery, dispatcher.routing.leases, dispatcher.front.http.app"
echo "release: the wheel starts; tag it with the version of pyproject.toml"
ls -1 "$OLDPWD"/dist
