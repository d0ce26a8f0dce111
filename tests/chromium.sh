#!/bin/sh
# Installs Debian's Chromium, so that the reports' tests open them in a browser.
set -eu

for name in "${CHANDLER_TEST_CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then
        exit 0
    fi
done
if [ "$(id -u)" != 0 ]; then
    echo 'tests/chromium.sh: installing packages needs root: run it with sudo' >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends chromium fonts-dejavu-core
