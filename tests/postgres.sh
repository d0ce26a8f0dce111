#!/bin/sh
# Installs Debian's PostgreSQL, so that the ledger's tests run on it too. Nothing of it is started.
set -eu

if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo 'tests/postgres.sh: installing packages needs root: run it with sudo' >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# A cluster of the package's own is not wanted.
mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] ||
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
apt-get install -q -y --no-install-recommends postgresql
