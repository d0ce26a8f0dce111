#!/bin/sh
# Takes out of an environment what no service loads: tests, headers, other venues, symbols' names.
# slim.sh ENVIRONMENT
set -eu

cd "$1"/lib/python3*/site-packages
rm -rf pyarrow/include pyarrow/includes pyarrow/src pyarrow/tests pyarrow/*flight* pyarrow/*orc* \
    pyarrow/*.pxi pyarrow/*.pyx \
    ccxt/async_support ccxt/pro \
    numpy/tests numpy/*/tests numpy/f2py \
    pandas/tests scipy/*/tests numba/tests \
    matplotlib/tests matplotlib/mpl-data/sample_data
# Libraries in *.libs were edited after they were built: strip breaks those.
find . -name '*.so*' -type f ! -path '*.libs/*' -exec strip --strip-unneeded {} +
