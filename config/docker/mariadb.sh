#!/bin/sh
# What the official image of MySQL does at its first start: a database, and a user with the password of a secret.
# Its command is `mysqld` and options, which MariaDB shares.
set -eu
[ "${1:-}" != mysqld ] || shift
data=/var/lib/mysql
if [ ! -d "$data/mysql" ]; then
    mariadb-install-db --no-defaults --datadir="$data" --auth-root-authentication-method=normal >/dev/null
fi
cat > /tmp/first.sql <<SQL
CREATE DATABASE IF NOT EXISTS dispatcher CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS 'dispatcher'@'%' IDENTIFIED BY '$(cat /run/secrets/mysql_password)';
CREATE USER IF NOT EXISTS 'dispatcher'@'127.0.0.1' IDENTIFIED BY '$(cat /run/secrets/mysql_password)';
GRANT ALL ON dispatcher.* TO 'dispatcher'@'%', 'dispatcher'@'127.0.0.1';
ALTER USER 'root'@'localhost' IDENTIFIED BY '$(cat /run/secrets/mysql_root_password)';
SQL
exec mariadbd --no-defaults --datadir="$data" --bind-address=0.0.0.0 --init-file=/tmp/first.sql \
    --socket=/run/mysqld/mysqld.sock --innodb-buffer-pool-size=128M --max-connections=50 "$@"
