"""The Broker port for Bitget: one account, classic or unified, real, demo or on the simulator.

Orders are signed once with the intent's own time and sent once. Whatever the answer leaves open
is Unknown; the executor looks it up by clientOid.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from decimal import Decimal
from pathlib import Path

from chandler.core.events import Symbol
from chandler.core.trading.agents import AccountConfig
from chandler.core.trading.broker import (
    AccountAwaited,
    AccountError,
    BrokerError,
    Push,
    Reply,
    Unknown,
    VenueBalance,
    VenueFill,
    VenueFunding,
    VenueOrder,
    VenuePosition,
    VenueStop,
)
from chandler.core.trading.events import Direction, OrderRequested, Quote
from chandler.exchanges.bitget import errors
from chandler.exchanges.bitget.config import VenueConfig
from chandler.exchanges.bitget.rest import Depth, Rest
from chandler.exchanges.bitget.trade.classic import Classic
from chandler.exchanges.bitget.trade.client import TIMEOUT_S, Client
from chandler.exchanges.bitget.trade.config import TradeConfig, trade_config
from chandler.exchanges.bitget.trade.keys import Keys, keys_there, load_keys
from chandler.exchanges.bitget.trade.replies import CODE_UNIFIED, broker_error, now_ms
from chandler.exchanges.bitget.trade.signing import Signer
from chandler.exchanges.bitget.trade.stream import SOCKET_PATH, Stream, Waits

SIMULATOR_FOLDER = "simulator"  # of the data directory
ANY_SYMBOL = Symbol("BTCUSDT")  # that account settings are read with
SENT_MAX = 10_000  # ids remembered, so that none is sent twice
SKEW_SAMPLES = 3  # the one with the shortest way counts
SKEW_MS_MAX = 5 * 60_000  # beyond it this machine's clock is wrong, not skewed
# The venue's words for what a key may do (its page "Get Account Information", 2025-12).
WITHDRAWS = frozenset(("wwow", "withdraw"))
TRADES = frozenset(("coow", "trade", "contract_trade"))


def bitget_broker(
    name: str,
    account: AccountConfig,
    *,
    data: Path,
    environ: Mapping[str, str],
    simulator: VenueConfig | None,
    simulator_host: str = "",
) -> "BitgetBroker":
    """The broker of account `name`; AccountError if keys or venue are missing. Opens nothing.

    An account on the simulator takes the keys that the simulator made, never real ones:
    AccountAwaited before it has made them.
    """
    config = trade_config(account, simulator, simulator_host)
    if account.on_simulator:
        if not keys_there(name, data / SIMULATOR_FOLDER):
            raise AccountAwaited("the simulator has made no keys for it yet: is it running?")
        return BitgetBroker(config, load_keys(name, data / SIMULATOR_FOLDER, {}))
    return BitgetBroker(config, load_keys(account.keys or name, data, environ))


class BitgetBroker:
    """Answers the port; `open` first. Methods raise BrokerError, orders never do."""

    def __init__(
        self,
        config: TradeConfig,
        keys: Keys,
        *,
        timeout_s: float = TIMEOUT_S,
        waits: Waits | None = None,
    ) -> None:
        self.rights: list[str] | None = None  # None: the venue doesn't tell
        self._config = config
        self._keys = keys
        self._timeout_s = timeout_s
        self._waits = waits
        self._sent: dict[str, None] = {}
        self._rest: Rest | None = None
        self._signer: Signer | None = None
        self._client: Client | None = None
        self._account: Classic | None = None
        self._streams: list[Stream] = []

    def __repr__(self) -> str:
        return f"BitgetBroker({self._config.rest_url})"

    async def open(self) -> None:
        """Clock, account generation, position mode, rights: AccountError says what is wrong."""
        config = self._config
        if self._signer is None:
            self._signer = await asyncio.to_thread(
                Signer, self._keys, config.rest_url, demo=config.demo
            )
        venue = VenueConfig(
            rest_url=config.rest_url, ws_url=config.ws_url, product_type=config.product_type
        )
        self._rest = await Rest(venue, timeout_s=self._timeout_s).__aenter__()
        self._client = Client(config, self._signer, timeout_s=self._timeout_s)
        self._client.open()
        self._client.resync = self.skew_ms
        self._account = Classic(self._client, config)
        try:
            await self.skew_ms()
            with _told():
                await self._check_generation()
                await self._check_mode()
                self._check_rights(await self._account.rights())
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        for stream in self._streams:
            await stream.close()
        self._streams = []
        if self._client is not None:
            await self._client.close()
        if self._rest is not None:
            await self._rest.__aexit__(None, None, None)
        self._client = self._rest = self._account = None

    async def place(self, request: OrderRequested) -> Reply:
        if request.id in self._sent:
            reason = "it was sent before: never twice"
            return Unknown(id=request.id, reason=reason, at=now_ms())
        if len(self._sent) >= SENT_MAX:
            self._sent.pop(next(iter(self._sent)))
        self._sent[request.id] = None
        return await self._opened.place(request)

    async def cancel(self, symbol: Symbol, order: str) -> Reply:
        return await self._opened.cancel(symbol, order)

    async def find_by_client_oid(self, symbol: Symbol, order: str) -> VenueOrder | None:
        with _told():
            return await self._opened.find(symbol, order)

    async def fills(self, symbol: Symbol, order: str) -> list[VenueFill]:
        with _told():
            return await self._opened.fills(symbol, order)

    async def fills_since(self, since_ms: int) -> list[VenueFill]:
        with _told():
            return await self._opened.fills_since(since_ms)

    async def fundings_since(self, since_ms: int) -> list[VenueFunding]:
        assert self._rest is not None, "open the broker first"
        with _told():
            return await self._opened.fundings_since(since_ms, await self._rest.server_time())

    async def open_orders(self) -> list[VenueOrder]:
        with _told():
            return await self._opened.open_orders()

    async def positions(self) -> list[VenuePosition]:
        with _told():
            return await self._opened.positions()

    async def balance(self) -> VenueBalance:
        with _told():
            return await self._opened.balance()

    async def quote(self, symbol: Symbol, *, buys: bool, size: Decimal) -> Quote:
        assert self._rest is not None, "open the broker first"
        with _told():
            return quote(await self._rest.merge_depth(symbol), buys=buys, size=size)

    async def set_leverage(self, symbol: Symbol, leverage: int) -> None:
        with _told():
            await self._opened.set_leverage(symbol, leverage)

    async def place_stop(
        self, symbol: Symbol, side: Direction, trigger: Decimal, order: str
    ) -> VenueStop:
        with _told():
            return await self._opened.place_stop(symbol, side, trigger, order)

    async def cancel_stop(self, stop: VenueStop) -> None:
        with _told():
            await self._opened.cancel_stop(stop)

    async def stops(self) -> list[VenueStop]:
        with _told():
            return await self._opened.stops()

    async def stream(self) -> AsyncIterator[Push]:
        """Until the broker is closed. The first push says that the stream is there (`back`)."""
        assert self._client is not None, "open the broker first"
        assert self._signer is not None
        client, signer = self._client, self._signer
        stream = Stream(
            self._config.ws_url + SOCKET_PATH,
            lambda: signer.login(client.venue_now() // 1000),
            product_type=self._config.product_type,
            margin_coin=self._config.margin_coin,
            waits=self._waits,
        )
        self._streams.append(stream)
        async with aclosing(stream.pushes()) as pushes:
            async for push in pushes:
                yield push

    async def skew_ms(self) -> int:
        """Venue's wall clock less ours, measured anew; 0 on the simulator, whose wall is ours."""
        assert self._rest is not None, "open the broker first"
        assert self._client is not None
        if self._config.simulated:
            return 0
        samples = []
        with _told():
            for _ in range(SKEW_SAMPLES):
                asked, before = now_ms(), time.monotonic()
                venue = await self._rest.server_time()
                took_ms = int((time.monotonic() - before) * 1000)
                samples.append((took_ms, venue - (asked + took_ms // 2)))
        skew = min(samples)[1]
        if abs(skew) > SKEW_MS_MAX:
            raise AccountError(
                f"this machine's clock is {-skew / 1000:+.0f} s off the venue's: set it right"
            )
        self._client.skew_ms = skew
        return skew

    @property
    def _opened(self) -> Classic:
        assert self._account is not None, "open the broker first"
        return self._account

    async def _check_generation(self) -> None:
        """A unified account refuses the classic API with 40085, before it looks at the key."""
        try:
            await self._opened.balance()
        except errors.VenueRefused as error:
            if error.code != CODE_UNIFIED:
                raise
            raise AccountError(
                "this is a unified account (UTA), which is not supported yet: use the key of a "
                "classic account or subaccount, or switch this one to classic at the venue"
            ) from None

    async def _check_mode(self) -> None:
        try:
            await self._opened.check(ANY_SYMBOL)
        except (errors.UnknownSymbol, errors.Delisted):  # the simulator plays other coins
            assert self._rest is not None
            contracts = await self._rest.contracts()
            if not contracts:
                raise
            await self._opened.check(contracts[0].symbol)

    def _check_rights(self, rights: list[str] | None) -> None:
        self.rights = rights
        if rights is None:
            return
        have = {right.lower() for right in rights}
        if have & WITHDRAWS:
            raise AccountError(
                "the key may withdraw: make one without that right (futures orders and "
                "positions, read and write, are enough) and delete this one"
            )
        if not have & TRADES:
            raise AccountError(
                f"the key may not trade (it has {', '.join(sorted(have))}): expected futures "
                "orders, read and write"
            )


def quote(depth: Depth, *, buys: bool, size: Decimal) -> Quote:
    """What `size` would cost by the book; less than `size` where the book has less."""
    levels = depth.asks if buys else depth.bids
    if not levels:
        raise BrokerError(f"{depth.symbol}: nobody {'sells' if buys else 'buys'} now")
    left, cost = size, Decimal(0)
    for price, there in levels:
        taken = min(left, Decimal(there))
        cost += taken * Decimal(price)
        left -= taken
        if not left:
            break
    got = size - left
    best = Decimal(levels[0][0])
    return Quote(price=cost / got if got else best, best=best, size=got)


@contextmanager
def _told() -> Iterator[None]:
    """The venue's errors, as the port's."""
    try:
        yield
    except errors.VenueError as error:
        raise broker_error(error) from None
