#!/usr/bin/env bash
# Tries docker-compose.yml as it is, as root on Debian 12, without a registry of images: an engine of its own,
# images from Debian and PyPI, then tests/integration/deployment/test_docker_stack.py, and all of it is taken away.
#   scripts/compose_trial.sh [PYTEST OPTIONS]       FAULTS=fault: `dispatcher verify --docker` instead
# TRIAL_DIR (/var/tmp/xiaozhi-trial) keeps what was built for the next trial; remove it when you are done.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly DIR=${TRIAL_DIR:-/var/tmp/xiaozhi-trial}
readonly BASE=xiaozhi/python:3.11
readonly NICE=(nice -n 10)
export DOCKER_HOST=unix://$DIR/docker.sock DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0 DEBIAN_FRONTEND=noninteractive
engine=
forwarding=
rules=

step() {
    printf '== %s  (%s)\n' "$1" "$(date +%T)"
}

# Debian's package would start an engine for the whole machine.
install_engine() {
    local program missing=
    for program in dockerd debootstrap docker-compose iptables; do
        command -v $program >/dev/null || missing=1
    done
    [[ -n $missing ]] || return 0
    local forbid=/usr/sbin/policy-rc.d
    [[ -e $forbid ]] || { printf '#!/bin/sh\nexit 101\n' > $forbid; chmod +x $forbid; trap 'rm -f /usr/sbin/policy-rc.d' RETURN; }
    apt-get -qq update
    apt-get -qq install --yes --no-install-recommends docker.io debootstrap docker-compose iptables >/dev/null
}

start_engine() {
    forwarding=$(cat /proc/sys/net/ipv4/ip_forward)
    rules=$(iptables-save)
    # No bridge of its own: builds use the machine's network, and the stack brings two bridges.
    "${NICE[@]}" dockerd --host "$DOCKER_HOST" --data-root "$DIR/data" --exec-root "$DIR/exec" --pidfile "$DIR/docker.pid" \
        --bridge none >"$DIR/dockerd.log" 2>&1 &
    engine=$!
    local waited
    for ((waited = 0; waited < 60; waited++)); do
        docker info >/dev/null 2>&1 && return
        kill -0 "$engine" 2>/dev/null || break
        sleep 1
    done
    tail -5 "$DIR/dockerd.log" >&2
    return 1
}

# What dockerd leaves behind when it ends: rules, a switched-on forwarding, empty groups, mounts of dead containers.
stop_engine() {
    [[ -n $engine ]] || return 0
    docker ps --quiet | xargs --no-run-if-empty docker kill >/dev/null || true
    docker network prune --force >/dev/null || true
    kill "$engine" 2>/dev/null || true
    wait "$engine" 2>/dev/null || true
    local table mounted
    for table in filter nat; do
        iptables -t $table -F; iptables -t $table -X
    done
    iptables -P FORWARD ACCEPT
    [[ -z $rules ]] || iptables-restore <<<"$rules"
    printf '%s' "$forwarding" > /proc/sys/net/ipv4/ip_forward
    findmnt --raw --noheadings --output TARGET | grep "^$DIR/" | while read -r mounted; do umount "$mounted"; done || true
    find /sys/fs/cgroup -depth -type d -path '*/docker*' -exec rmdir {} + 2>/dev/null || true
}

make_base() {
    docker image inspect "$BASE" >/dev/null 2>&1 && return
    rm -rf "$DIR/base"
    "${NICE[@]}" debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv bookworm "$DIR/base" \
        ${MIRROR:-} >"$DIR/debootstrap.log"
    # Where the machine's way to PyPI needs a certificate, a build needs it too.
    local changes=()
    if [[ -n ${PIP_CERT:-} ]]; then
        cp "$PIP_CERT" "$DIR/base/etc/ssl/certs/pip.pem"
        changes=(--change "ENV PIP_CERT=/etc/ssl/certs/pip.pem")
    fi
    tar -C "$DIR/base" -c . | docker import "${changes[@]}" - "$BASE" >/dev/null
    rm -rf "$DIR/base"
}

build() {
    local name=$1
    shift
    "${NICE[@]}" docker build --quiet --network host --build-arg PYTHON_IMAGE=$BASE --build-arg DEBIAN_IMAGE=$BASE \
        --tag "xiaozhi-$name" "$@" . >>"$DIR/build.log" 2>&1 || { tail -20 "$DIR/build.log" >&2; return 1; }
    step "image $name"
}

build_images() {
    local name
    build dispatcher --file config/docker/Dockerfile
    build flower --file config/docker/Dockerfile --target flower
    build instance --file config/docker/Dockerfile.builtin
    for name in nginx redis mariadb ollama; do
        build $name --file config/docker/Dockerfile.airgapped --target $name
    done
}

mkdir -p "$DIR"
step "engine"
install_engine
trap stop_engine EXIT
start_engine
step "base image"
make_base
build_images
step "trial"
scripts/environment.sh dev
"${NICE[@]}" .venv/bin/python -m pytest -n 0 -rP -q tests/integration/deployment/test_docker_stack.py -k "${FAULTS:-not fault}" "$@"
step "done"
