#!/bin/sh
# Asks all that the dashboards ask, of the running demo: grafana/check.sh [--pictures FOLDER]
# Needs Debian's prometheus and postgresql, which it installs where it may. Neither stays running.
set -eu

root=$(dirname -- "$(readlink -f -- "$0")")/..
cd -- "$root"

if ! command -v prometheus >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo 'observe-check: prometheus is needed: sudo apt-get install prometheus' >&2
        exit 2
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    # The package would start a daemon of its own: Debian asks this file whether it may.
    policy=/usr/sbin/policy-rc.d
    if [ -e "$policy" ]; then
        policy=
    else
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    apt-get install -q -y --no-install-recommends prometheus || status=$?
    [ -z "$policy" ] || rm "$policy"
    [ -z "${status:-}" ] || exit "$status"
fi
sh tests/postgres.sh
CHANDLER_PORT_BASE=${CHANDLER_PORT_BASE:-31000}
export CHANDLER_PORT_BASE
exec .venv/bin/python -m grafana.live "$@"
