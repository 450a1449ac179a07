#!/bin/sh
# start.sh FILE OPTIONS…: Redis with the password of a secret, which stands in no command line and no variable.
set -eu
password=$(cat "${REDIS_PASSWORD_FILE:-/run/secrets/redis_password}")
[ -n "$password" ] || { echo "the secret redis_password is empty: run config/docker/make-secrets.sh" >&2; exit 1; }
exec redis-server "$@" - <<END
requirepass $password
END
