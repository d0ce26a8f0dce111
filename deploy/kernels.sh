#!/bin/sh
# Compiles the backtests' kernels once, into the data directory of the image.
set -eu
candles=$(python -P -c 'from chandler.exchanges.simulator.recording import SHIPPED; print(SHIPPED)')
python -P -m services backtest --candles "$candles" --agents trend --out /tmp/first
rm -rf /tmp/first
