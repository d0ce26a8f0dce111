"""The simulator's own endpoints, below /admin/: not part of the venue, for tests and people."""

from decimal import Decimal
from typing import Any, Protocol

import msgspec
import orjson
from aiohttp import web

from chandler.core.trading.money import AmountError, amount, minus, shown
from chandler.exchanges.simulator.clock import VenueClock
from chandler.exchanges.simulator.config import SimulatorError
from chandler.exchanges.simulator.faults import Faults
from chandler.exchanges.simulator.instruments import row_strings
from chandler.exchanges.simulator.market import SPACINGS, Market
from chandler.exchanges.simulator.private.account import Account
from chandler.exchanges.simulator.private.course import Course
from chandler.exchanges.simulator.private.exchange import BALANCE, Exchange
from chandler.exchanges.simulator.private.records import Fill, Order
from chandler.exchanges.simulator.private.stream import PrivateSockets
from chandler.exchanges.simulator.recording import SLOT_MS
from chandler.exchanges.simulator.sockets import Limits, Sockets


class Controls(Protocol):
    """What the endpoints turn: the simulator."""

    clock: VenueClock
    market: Market
    sockets: Sockets
    exchange: Exchange
    course: Course
    private_sockets: PrivateSockets
    faults_text: str
    faults_seed: int

    def set_faults(self, text: str, seed: int | None) -> Faults: ...
    def set_speed(self, speed: float) -> None: ...
    def state(self) -> dict[str, Any]: ...


class Admin:
    """Answers with plain JSON; what can't be done is 400 with {"error": one line}."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """All of them."""
        for method, path, handler in (
            ("GET", "/admin/state", self._state),
            ("GET", "/admin/clock", self._clock),
            ("POST", "/admin/clock", self._set_clock),
            ("GET", "/admin/faults", self._faults),
            ("POST", "/admin/faults", self._set_faults),
            ("DELETE", "/admin/faults", self._clear_faults),
            ("GET", "/admin/limits", self._limits),
            ("POST", "/admin/limits", self._set_limits),
            ("POST", "/admin/delist", self._delist),
            ("DELETE", "/admin/delist", self._relist),
            ("GET", "/admin/candles", self._candles),
            ("GET", "/admin/missing", self._missing),
            ("POST", "/admin/contract", self._set_contract),
            ("GET", "/admin/accounts", self._accounts),
            ("POST", "/admin/accounts", self._set_account),
            ("GET", "/admin/accounts/orders", self._orders),
            ("GET", "/admin/accounts/fills", self._fills),
            ("POST", "/admin/accounts/cut", self._cut),
        ):
            router.add_route(method, path, handler)

    async def _state(self, _: web.Request) -> web.Response:
        return answer(self._controls.state())

    async def _clock(self, _: web.Request) -> web.Response:
        clock = self._controls.clock
        return answer({"now_ms": clock.now(), "speed": clock.speed})

    async def _set_clock(self, request: web.Request) -> web.Response:
        """{"speed"?, "now_ms"?}: another speed, a jump forward."""
        body = await _body(request, {"speed": float, "now_ms": int})
        if "speed" in body:
            self._controls.set_speed(body["speed"])
        if "now_ms" in body:
            self._controls.clock.advance(body["now_ms"])
        return await self._clock(request)

    async def _faults(self, _: web.Request) -> web.Response:
        controls = self._controls
        return answer({"spec": controls.faults_text, "seed": controls.faults_seed})

    async def _set_faults(self, request: web.Request) -> web.Response:
        """{"spec", "seed"?}: these from now on; `missing` for the slots to come."""
        body = await _body(request, {"spec": str, "seed": int})
        if "spec" not in body:
            raise SimulatorError('expected {"spec": "cut=20s,drop=5%", "seed": 1}, found no spec')
        self._controls.set_faults(body["spec"], body.get("seed"))
        return await self._faults(request)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._controls.set_faults("", None)
        return await self._faults(request)

    async def _limits(self, _: web.Request) -> web.Response:
        return answer(msgspec.to_builtins(self._controls.sockets.limits))

    async def _set_limits(self, request: web.Request) -> web.Response:
        """Some of the limits on connections, in wall time."""
        sockets = self._controls.sockets
        try:
            given = msgspec.to_builtins(sockets.limits) | orjson.loads(await request.read())
            sockets.limits = msgspec.convert(given, Limits)
        except (ValueError, TypeError) as error:
            raise SimulatorError(f"limits: {error}: expected some of those of GET") from None
        return await self._limits(request)

    async def _delist(self, request: web.Request) -> web.Response:
        """{"symbol"}: it is off from now on."""
        index, symbol = self._named(await _body(request, {"symbol": str}))
        controls = self._controls
        controls.market.delisted.setdefault(symbol, controls.clock.now())
        controls.sockets.drop_symbol(index)
        return answer({"delisted": controls.market.delisted})

    async def _relist(self, request: web.Request) -> web.Response:
        _, symbol = self._named(await _body(request, {"symbol": str}))
        self._controls.market.delisted.pop(symbol, None)
        return answer({"delisted": self._controls.market.delisted})

    async def _candles(self, request: web.Request) -> web.Response:
        """?symbol=&granularity=&limit=: the final candles up to now, as the venue has them."""
        index, _ = self._named(dict(request.query))
        spacing = SPACINGS.get(request.query.get("granularity", "5m"))
        limit = request.query.get("limit", "1000")
        if spacing is None or not limit.isdigit():
            raise SimulatorError(f"expected granularity from {' '.join(SPACINGS)}, limit of digits")
        now = self._controls.clock.now()
        bars = self._controls.market.bars(index, spacing, now, int(limit), now)
        return answer([row_strings(bar) for bar in bars])

    async def _missing(self, request: web.Request) -> web.Response:
        """?from_ms=: open times of the 5m slots up to now that the venue lacks, by symbol."""
        market = self._controls.market
        text = request.query.get("from_ms", "0")
        if not text.isdigit():
            raise SimulatorError(f"from_ms is {text!r}: expected ms since 1970")
        first = max(int(text), market.recording.origin_ms) // SLOT_MS
        slots = range(first, self._controls.clock.now() // SLOT_MS)
        lacking = {
            symbol: [
                slot * SLOT_MS
                for slot in slots
                if market.candle(index, slot) is None
                and slot * SLOT_MS >= market.first_open_ms(index)
            ]
            for index, symbol in enumerate(market.symbols)
        }
        return answer({symbol: opens for symbol, opens in lacking.items() if opens})

    async def _set_contract(self, request: web.Request) -> web.Response:
        """{"symbol", "set": {field: text}}: what `contracts` states from now on.

        For instance {"symbolStatus": "maintain"}, or {"sizeMultiplier": "10", "minTradeNum": "10"}.
        """
        body = await _body(request, {"symbol": str, "set": dict[str, str]})
        index, symbol = self._named(body)
        fields = body.get("set", {})
        known = self._controls.exchange.quotes.contract(index)
        if unknown := set(fields) - set(known):
            raise SimulatorError(f"contract {symbol} has no {', '.join(sorted(unknown))}")
        try:
            self._controls.exchange.change_contract(symbol, fields)
        except ValueError as error:
            raise SimulatorError(f"contract {symbol}: {error}") from None
        return answer(self._controls.exchange.quotes.contract(index))

    async def _accounts(self, _: web.Request) -> web.Response:
        """The money of each account, exactly."""
        self._controls.course.advance()
        self._controls.exchange.commit()
        accounts = self._controls.exchange.accounts.values()
        return answer([account_truth(account) for account in accounts])

    async def _set_account(self, request: web.Request) -> web.Response:
        """{"account", "balance"?, "change"?, "unified"?, "pos_mode"?}: makes or changes one.

        `balance` is what a new one begins with, `change` is added to the wallet without a bill.
        """
        expected = {"account": str, "balance": str, "change": str}
        body = await _body(request, expected | {"unified": bool, "pos_mode": str})
        exchange, name = self._controls.exchange, body.get("account", "")
        account = exchange.accounts.get(name)
        if account is None:
            account = exchange.make(name, _money(body.get("balance", str(BALANCE))))
        elif "balance" in body:
            raise SimulatorError(f"account {name} is there: expected change instead of balance")
        if "change" in body:
            exchange.shrink(account, -_money(body["change"]))
        kept = {key: body[key] for key in ("unified", "pos_mode") if key in body}
        if kept.get("pos_mode", "one_way_mode") not in ("one_way_mode", "hedge_mode"):
            raise SimulatorError("pos_mode: expected one_way_mode or hedge_mode")
        account.keep_settings(msgspec.structs.replace(account.settings, **kept))
        exchange.commit()
        return answer(account_truth(account))

    async def _orders(self, request: web.Request) -> web.Response:
        """?account=: every order that was ever asked for, by clientOid; what came of it."""
        store, name = self._controls.exchange.store, self._account_name(request)
        found: dict[str, dict[str, Any]] = {}
        for receipt in store.receipts(name):
            truth = found.setdefault(receipt.client_oid, {"orders": 0, "receipts": [], "was": []})
            truth["orders"] += bool(receipt.order)
            truth["receipts"].append(msgspec.to_builtins(receipt))
        for order in store.every("order", name, Order):
            truth = found.setdefault(order.client_oid, {"orders": 0, "receipts": [], "was": []})
            truth["was"].append(msgspec.to_builtins(order))
        return answer(found)

    async def _fills(self, request: web.Request) -> web.Response:
        """?account=: every fill there ever was, oldest first."""
        fills = self._controls.exchange.store.every("fill", self._account_name(request), Fill)
        return answer([msgspec.to_builtins(fill) for fill in fills])

    async def _cut(self, _: web.Request) -> web.Response:
        """All private sockets end without a word."""
        count = len(self._controls.private_sockets.sessions)
        self._controls.private_sockets.close_all(cut=True)
        return answer({"cut": count})

    def _account_name(self, request: web.Request) -> str:
        name = request.query.get("account", "demo")
        if name not in self._controls.exchange.accounts:
            known = ", ".join(self._controls.exchange.accounts)
            raise SimulatorError(f"account {name!r} isn't known: expected one of {known}")
        return name

    def _named(self, body: dict[str, Any]) -> tuple[int, str]:
        symbol = body.get("symbol", "")
        index = self._controls.market.index.get(symbol)
        if index is None:
            raise SimulatorError(
                f"symbol {symbol!r} isn't known: /admin/state lists those that are"
            )
        return index, symbol


def account_truth(account: Account) -> dict[str, Any]:
    """An account's money and positions, exactly; wallet = deposited + realised - fees - funding."""
    paper, settings = account.paper, account.settings
    money = {
        "wallet": paper.wallet,
        "start": settings.start,
        "moved": minus(paper.deposited, settings.start),
        "realised": paper.realised,
        "fees": paper.fees,
        "funding": paper.funding,
    }
    return {
        "account": account.name,
        **{name: shown(value) for name, value in money.items()},
        "positions": [msgspec.to_builtins(each) for each in paper.positions.values()],
        "pending": [str(order.id) for order in account.pending()],
        "pos_mode": settings.pos_mode,
        "unified": settings.unified,
    }


def _money(text: str) -> Decimal:
    try:
        return amount(text)
    except AmountError as error:
        raise SimulatorError(str(error)) from None


def answer(data: Any, status: int = 200) -> web.Response:
    """Plain JSON."""
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")


async def _body(request: web.Request, expected: dict[str, Any]) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        body = None
    names = ", ".join(
        f"{name}: {getattr(kind, '__name__', kind)}" for name, kind in expected.items()
    )
    if not isinstance(body, dict) or set(body) - set(expected):
        raise SimulatorError(f"expected a JSON object with {names}")
    try:
        return {name: msgspec.convert(value, expected[name]) for name, value in body.items()}
    except msgspec.ValidationError as error:
        raise SimulatorError(f"expected a JSON object with {names}: {error}") from None
