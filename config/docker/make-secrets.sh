#!/bin/sh
# Makes the secrets that are missing, at random. The folder is its owner's alone; the files in it must be readable
# for the users of the containers, which get each file by itself.
set -eu
cd "$(dirname "$0")/secrets"
chmod 700 .

random() {
    head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'
}

keep() {
    [ -s "$1" ] || printf '%s' "$2" > "$1"
    chmod 444 "$1"
}

keep mysql_root_password "$(random)"
keep mysql_password "$(random)"
keep flower_password "$(random)"
keep grafana_password "$(random)"
keep redis_password "$(random)"
keep redis_url "redis://:$(cat redis_password)@redis:6379/0"
keep cache_url "redis://:$(cat redis_password)@redis-cache:6379/0"
keep redis_exporter "{\"redis://redis:6379\": \"$(cat redis_password)\", \"redis://redis-cache:6379\": \"$(cat redis_password)\"}"
keep database_url "mysql+pymysql://dispatcher:$(cat mysql_password)@mysql:3306/dispatcher"
