"""What a set of trades comes to."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from chandler.core.trading.money import plus, total
from chandler.replay.result import Trade


class TradeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of some trades. Money is exact, in quote coin; shares and averages are floats.

    Counted are closed trades; those still open at the end are told apart, by what is booked of
    them: the equity alone has them at the last price.
    Fees, funding, turnover and the time open are of both. None: see `figures`.
    """

    trades: int  # closed
    wins: int  # PnL above 0
    losses: int  # PnL below 0
    pnl: Decimal  # after fees and funding
    gained: Decimal  # PnL of the wins
    lost: Decimal  # PnL of the losses, at most 0
    best: Decimal | None
    worst: Decimal | None
    win_rate: float | None
    profit_factor: float | None
    average: float | None  # expectancy: PnL of a trade
    average_win: float | None
    average_loss: float | None  # below 0
    losing_streak: int  # the most losses one after the other, by the time they closed
    holding_ms: int | None  # mean
    open_trades: int
    open_pnl: Decimal  # booked of open ones: parts that were closed, less fees and funding
    fees: Decimal
    funding: Decimal
    notional: Decimal  # Σ price × size of all that was opened and closed
    turnover: float | None  # notional by mean equity
    time_open: float | None  # share of the period with at least one of them open


def figures(trades: Sequence[Trade], mean_equity: float, from_ms: int, to_ms: int) -> TradeFigures:
    """Measures trades of a period; `mean_equity` is that of the curve they belong to.

    - win_rate: wins / trades; profit_factor: gained / |lost|; average: pnl / trades
    - average_win: gained / wins; average_loss: lost / losses
    - turnover: notional / mean_equity
    - time_open: length of the union of [opened, closed or end] / length of the period

    None: rates, averages, best, worst and holding time without a closed trade; average_win without
    a win; average_loss and profit_factor without a loss; turnover where the mean equity is not
    above 0; time_open in a period of no length. A PnL of exactly 0 is neither win nor loss and
    ends a streak.
    """
    closed = sorted(
        (each for each in trades if each.closed_ms),
        key=lambda each: (each.closed_ms, each.opened_ms, each.symbol, each.id),
    )
    still = [each for each in trades if not each.closed_ms]
    results = [each.pnl for each in closed]
    wins = [pnl for pnl in results if pnl > 0]
    losses = [pnl for pnl in results if pnl < 0]
    pnl, gained, lost = total(results), total(wins), total(losses)
    notional = total(plus(each.entered, each.exited) for each in trades)
    holding = sum(each.closed_ms - each.opened_ms for each in closed)
    return TradeFigures(
        trades=len(closed),
        wins=len(wins),
        losses=len(losses),
        pnl=pnl,
        gained=gained,
        lost=lost,
        best=max(results, default=None),
        worst=min(results, default=None),
        win_rate=_by(len(wins), len(closed)),
        profit_factor=_by(float(gained), -float(lost)),
        average=_by(float(pnl), len(closed)),
        average_win=_by(float(gained), len(wins)),
        average_loss=_by(float(lost), len(losses)),
        losing_streak=_streak(results),
        holding_ms=round(holding / len(closed)) if closed else None,
        open_trades=len(still),
        open_pnl=total(each.pnl for each in still),
        fees=total(each.fees for each in trades),
        funding=total(each.funding for each in trades),
        notional=notional,
        turnover=_by(float(notional), mean_equity),
        time_open=_by(_covered_ms(trades, from_ms, to_ms), to_ms - from_ms),
    )


def _by(first: float, second: float) -> float | None:
    return first / second if second > 0 else None


def _streak(results: Sequence[Decimal]) -> int:
    longest = current = 0
    for pnl in results:
        current = current + 1 if pnl < 0 else 0
        longest = max(longest, current)
    return longest


def _covered_ms(trades: Sequence[Trade], from_ms: int, to_ms: int) -> int:
    """Time of the period in which at least one of them was open."""
    covered, until = 0, from_ms
    for opened, closed in sorted((each.opened_ms, each.closed_ms or to_ms) for each in trades):
        end = min(closed, to_ms)
        if end > until:
            covered += end - max(opened, until)
            until = end
    return covered
