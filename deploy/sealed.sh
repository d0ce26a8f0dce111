#!/bin/sh
# Takes out of folders of the image what differs from build to build: sealed.sh FOLDER...
set -eu

# uv notes when it installed our own packages.
find "$@" -name uv_cache.json -delete
find "$@" -name RECORD -exec sed -i '/uv_cache\.json/d' {} +
find "$@" -exec touch --no-dereference --date=@0 {} +
