#!/bin/sh
# Bytecode for folders of the image: compiled.sh FOLDER...
set -eu

# Never compared with its source: the root file system can't be written, and times don't matter.
# One process: nothing of it depends on who is faster.
PYTHONHASHSEED=0 python -m compileall -q -f --invalidation-mode unchecked-hash "$@"
