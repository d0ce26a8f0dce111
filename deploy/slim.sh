#!/bin/sh
# Takes out of an environment what no service loads: tests, headers, other venues, symbols' names.
# slim.sh ENVIRONMENT
set -eu

cd "$1"/lib/python3*/site-packages
rm -rf pyarrow/include pyarrow/includes pyarrow/src pyarrow/tests pyarrow/*flight* pyarrow/*orc* \
    pyarrow/*.pxi pyarrow/*.pyx \
    setuptools _distutils_hack distutils-precedence.pth pkg_resources \
    numpy/tests numpy/*/tests numpy/f2py numpy/distutils numpy/_core/include numpy/_core/lib \
    pandas/tests scipy/*/tests numba/tests \
    sqlalchemy/testing sqlalchemy/dialects/mssql sqlalchemy/dialects/mysql sqlalchemy/dialects/oracle \
    matplotlib/tests matplotlib/testing matplotlib/sphinxext matplotlib/mpl-data/sample_data \
    fontTools/[b-ln-z]* fontTools/m[a-hj-z]* fontTools/misc/*.so \
    PIL/_avif.*.so pillow.libs/libavif-*
find . -name '*.pyi' -delete
find pygments/lexers -name '*.py' ! -name __init__.py ! -name _mapping.py -delete

# ccxt loads all venues that it knows, which takes seconds and memory. We sign for one.
if [ -d ccxt/abstract ]; then
    rm -rf ccxt/async_support ccxt/pro ccxt/static_dependencies/bip
    find ccxt ccxt/abstract -maxdepth 1 -name '*.py' ! -name __init__.py ! -name bitget.py -delete
    sed -i -E '/^from ccxt\.(base|bitget)/!{/^from ccxt\./d}' ccxt/__init__.py
fi

# Libraries in *.libs were edited after they were built: strip breaks those.
find . -name '*.so*' -type f ! -path '*.libs/*' -exec strip --strip-unneeded {} +
