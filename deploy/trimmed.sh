#!/bin/sh
# Takes out of the base image what runs nothing: what installs, documentation, the editor.
set -eu

library=$(python -I -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
rm -rf "$library"/site-packages/pip* "$library"/site-packages/setuptools* \
    "$library"/site-packages/wheel* /usr/lib/python3/dist-packages /usr/share/python-wheels \
    /usr/local/bin/pip* /usr/local/bin/idle* /usr/bin/pip* /usr/bin/wheel* \
    "$library"/ensurepip "$library"/idlelib "$library"/lib2to3 "$library"/pydoc_data \
    "$library"/test "$library"/turtledemo \
    /usr/share/doc /usr/share/info /usr/share/locale /usr/share/man /usr/share/lintian \
    /var/cache/apt /var/cache/debconf /var/lib/apt/lists /var/log/* /etc/*- /root/.cache
find / -xdev -name '__pycache__' -type d -prune -exec rm -rf {} +
sh /tmp/compiled.sh "$library"
rm -f /tmp/*.sh
# The three of /etc are the engine's own while this runs.
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /etc/hosts -o -path /etc/hostname \
    -o -path /etc/resolv.conf \) -prune -o -exec touch --no-dereference --date=@0 {} +
