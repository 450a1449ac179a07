#!/bin/sh
# Makes .venv complete: `environment.sh run` for `make run`, `environment.sh dev` for tests and checks as well.
# Every package is pinned and checked against its hash. A stamp of the pins makes the next call instant.
set -eu
cd "$(dirname "$0")/.."

# Prints what the environment of a kind depends on, as one sum; the folder counts, because scripts name it.
sum_of() {
    { pwd; cat "$(pins_of "$1")" pyproject.toml; } | cksum
}

pins_of() {
    case $1 in
        run) echo requirements.txt ;;
        dev) echo constraints.txt ;; # all that requirements.txt holds, and more
        *) echo "usage: $0 run|dev" >&2; exit 2 ;;
    esac
}

is_complete() {
    [ -x .venv/bin/python ] && [ "$(cat ".venv/$1.stamp" 2>/dev/null)" = "$(sum_of "$1")" ]
}

is_good_python() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
        >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[123].*/bin/python3}; do
        if is_good_python "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "No Python 3.11, 3.12 or 3.13 with its venv module was found." >&2
    echo "Debian: apt install python3-venv. macOS: brew install python@3.13. Or: make PYTHON=/path/to/python3 ..." >&2
    return 1
}

make_venv() {
    if is_good_python .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; then
        return
    fi
    python=$(find_python)
    echo "environment 1/4: .venv with $("$python" --version) ($python)"
    "$python" -m venv --clear .venv
}

# uv installs three times quicker; pip, which every venv has, is the way where uv does not get through:
# only pip knows a mirror that is named in pip's configuration.
install_uv() {
    echo "environment 2/4: the installer"
    awk '/^uv==/ { found = 1 } found { print } found && !/\\$/ { exit }' "$1" > .venv/uv.txt
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.txt
}

install_packages() {
    count=$(grep -c '^[a-z]' "$1")
    echo "environment 3/4: $count packages of $1, each checked against its hash"
    .venv/bin/uv pip install --python .venv/bin/python --no-config --system-certs --compile-bytecode \
        --require-hashes --no-deps -r "$1" ||
        .venv/bin/python -m pip install --disable-pip-version-check --require-hashes --no-deps -r "$1"
}

install_project() {
    echo "environment 4/4: this project"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-index \
        --no-deps --no-build-isolation --editable .
}

kind=${1:-}
pins=$(pins_of "$kind")
if is_complete "$kind" || { [ "$kind" = run ] && is_complete dev; }; then
    exit 0
fi
make_venv
install_uv "$pins"
install_packages "$pins"
install_project
sum_of "$kind" > ".venv/$kind.stamp"
