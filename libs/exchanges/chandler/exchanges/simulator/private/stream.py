"""The private WebSocket: login, channels of one account, pushes and what faults make of them.

Sources: bitget-api §2. Every push is a snapshot; positions and account come whole.
"""

import random
import time
from collections import Counter, deque
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from chandler.core.trading.money import ZERO, minus, shown, times
from chandler.exchanges.simulator.faults import Faults
from chandler.exchanges.simulator.private.account import Account, Push
from chandler.exchanges.simulator.private.course import Course
from chandler.exchanges.simulator.private.exchange import Exchange
from chandler.exchanges.simulator.private.keys import is_signed
from chandler.exchanges.simulator.private.orders import average, fill_push
from chandler.exchanges.simulator.private.plans import plan_push
from chandler.exchanges.simulator.private.records import Closed, Fill, Order, Plan
from chandler.exchanges.simulator.private.rest import WINDOW_MS
from chandler.exchanges.simulator.private.settings import (
    Settings,
    account_push,
    closed_push,
    position_push,
)
from chandler.exchanges.simulator.sockets import (
    CHANNEL_UNKNOWN,
    CUT_SPREAD,
    HOUR_S,
    ILLEGAL,
    INST_TYPE,
    INVALID_OP,
    MESSAGE_BYTES_MAX,
    OUTGOING_BYTES_MAX,
    PONG,
    RECEIVED_BYTES_MAX,
    TOO_MANY,
    WRONG_PARAM,
    Limits,
    count_in,
    encode_frame,
    error,
)

SOCKET_PATH = "/v2/ws/private"
CHANNELS = ("orders", "fill", "positions", "account", "orders-algo", "positions-history")
NOT_LOGGED_IN, BAD_KEY, BAD_PASSPHRASE, BAD_TIME, EXPIRED, BAD_SIGN = (
    30004,
    30011,
    30012,
    30013,
    30014,
    30015,
)
SECONDS_MAX = 10_000_000_000  # a timestamp below it is in seconds, else in ms


class Session:
    """One connection."""

    def __init__(self, transport: Any, number: int, faults: Faults) -> None:
        self.started = self.last_ping = time.monotonic()
        self.number = number
        self.account: Account | None = None
        self.args: dict[str, dict[str, Any]] = {}  # channel and symbol → arg
        self.messages: deque[float] = deque()
        self.subscribes: deque[float] = deque()
        self.closed = False
        self._transport = transport
        self.take_faults(faults)

    def take_faults(self, faults: Faults) -> None:
        """From now on these."""
        self._silence = faults.silence
        spread = 1 + CUT_SPREAD * ((self.number * 0.618) % 1 * 2 - 1)
        self.cut_at = time.monotonic() + faults.cut_s * spread if faults.cut_s else float("inf")

    def send(self, frame: bytes) -> None:
        """Writes a frame, unless the connection has ended or says nothing."""
        spell = self._silence
        if self.closed or (spell is not None and spell.covers(time.monotonic() - self.started)):
            return
        self._transport.write(frame)
        if self._transport.get_write_buffer_size() > OUTGOING_BYTES_MAX:
            self.cut()

    def cut(self) -> None:
        """Ends the connection without a word."""
        self.closed = True
        self._transport.abort()

    def close(self, code: int = 1000) -> None:
        """Ends the connection with a close frame."""
        if not self.closed:
            self.closed = True
            self._transport.write(b"\x88\x02" + code.to_bytes(2, "big"))
            self._transport.close()


class PrivateSockets:
    """All private connections."""

    def __init__(self, exchange: Exchange, course: Course, limits: Any) -> None:
        """`limits` gives those of the venue on a connection, as they are now."""
        self.sessions: set[Session] = set()
        self.counts: Counter[str] = Counter()
        self._exchange = exchange
        self._course = course
        self._limits = limits
        self._rows = Settings(exchange)
        self._faults = Faults()
        self._random = random.Random()
        self._number = 0
        exchange.tell = self.tell

    def set_faults(self, faults: Faults, seed: int) -> None:
        """All connections have these from now on."""
        self._faults = faults
        self._random = random.Random(f"{seed}|private")
        for session in self.sessions:
            session.take_faults(faults)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection's whole life."""
        socket = web.WebSocketResponse(max_msg_size=RECEIVED_BYTES_MAX, compress=False)
        await socket.prepare(request)
        if request.transport is None:
            return socket
        self._number += 1
        session = Session(request.transport, self._number, self._faults)
        self.sessions.add(session)
        self.counts["private_connections"] += 1
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT and not session.closed:
                    self._take(session, message.data)
        finally:
            session.closed = True
            self.sessions.discard(session)
        return socket

    def keep_house(self) -> None:
        """Ends the connections whose time has come."""
        now, limits = time.monotonic(), self._now_limits()
        for session in list(self.sessions):
            if now >= session.cut_at:
                session.cut()
            elif now - session.last_ping > limits.ping_timeout_s:
                session.close()
            elif now - session.started > limits.recycle_s:
                session.close(1001)

    def close_all(self, *, cut: bool = False) -> None:
        """Ends all connections, without a word if they are cut."""
        for session in list(self.sessions):
            if cut:
                session.cut()
            else:
                session.close(1001)

    def tell(self, account: Account, pushes: list[Push]) -> None:
        """What has happened in an account, to those who listen."""
        now = self._course.walked_ms
        listening = [each for each in self.sessions if each.account is account]
        for session in listening:
            for push in pushes:
                self._push(session, push, now)
            for channel in ("positions", "account"):
                if (arg := session.args.get(channel)) is not None:
                    self._send(session, arg, self._whole(account, channel, now), now)

    def _now_limits(self) -> Limits:
        limits: Limits = self._limits()
        return limits

    def _push(self, session: Session, push: Push, now: int) -> None:
        for key in (push.channel, f"{push.channel} {_symbol(push.record)}"):
            arg = session.args.get(key)
            if arg is None:
                continue
            row = _row(push)
            self._send(session, arg, [row], now)
            if push.channel == "fill" and self._random.random() < self._faults.twice:
                self.counts["twice"] += 1
                self._send(session, arg, [row], now)

    def _send(self, session: Session, arg: dict[str, Any], rows: list[Any], now: int) -> None:
        if self._random.random() < self._faults.lost:
            self.counts["lost"] += 1
            return
        frame = {"action": "snapshot", "arg": arg, "data": rows, "ts": now}
        session.send(encode_frame(orjson.dumps(frame).decode()))

    def _whole(self, account: Account, channel: str, now: int) -> list[dict[str, Any]]:
        if channel == "account":
            return [account_push(self._rows.account_row(account, now))]
        held = account.paper.positions.values()
        ids = account.position_ids
        return [
            position_push(self._rows.position_row(account, each, now), ids[str(each.symbol)])
            for each in held
        ]

    def _take(self, session: Session, text: str) -> None:
        now, limits = time.monotonic(), self._now_limits()
        if count_in(session.messages, now, 1.0) > limits.messages_per_second:
            session.send(error(TOO_MANY, "request too many"))
            session.close()
            return
        if text == "ping":
            session.last_ping = now
            session.send(PONG)
            return
        try:
            request = orjson.loads(text)
        except orjson.JSONDecodeError:
            request = None
        if not isinstance(request, dict) or len(text.encode()) > MESSAGE_BYTES_MAX:
            session.send(error(ILLEGAL, "Illegal request"))
            return
        op, args = request.get("op"), request.get("args")
        if op not in ("login", "subscribe", "unsubscribe"):
            session.send(error(INVALID_OP, "Invalid op", op=str(op or "")))
        elif not isinstance(args, list) or not args or not all(isinstance(a, dict) for a in args):
            session.send(error(ILLEGAL, "Illegal request", op=op))
        elif op == "login":
            self._login(session, args[0])
        elif op == "subscribe" and (
            count_in(session.subscribes, now, HOUR_S) > limits.subscribes_per_hour
        ):
            session.send(error(TOO_MANY, "request too many", op=op))
        else:
            for arg in args:
                self._subscribe(session, op, arg)

    def _login(self, session: Session, arg: dict[str, Any]) -> None:
        """With the signature of GET /user/verify; what is wrong ends the connection."""
        key, text = str(arg.get("apiKey", "")), str(arg.get("timestamp", ""))
        account = self._exchange.by_key.get(key)
        signed = int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else -1
        signed_ms = signed * 1000 if signed < SECONDS_MAX else signed
        slack = 1000 if signed < SECONDS_MAX else 0
        if account is None:
            code, said = BAD_KEY, "Invalid ACCESS_KEY"
        elif signed < 0:
            code, said = BAD_TIME, "Invalid ACCESS_TIMESTAMP"
        elif abs(self._exchange.wall_ms() - signed_ms) > WINDOW_MS + slack:
            code, said = EXPIRED, "Request timestamp expired"
        elif arg.get("passphrase") != account.keys.passphrase:
            code, said = BAD_PASSPHRASE, "Invalid ACCESS_PASSPHRASE"
        elif not is_signed(account.keys.secret, str(arg.get("sign", "")), f"{text}GET/user/verify"):
            code, said = BAD_SIGN, "Invalid sign"
        else:
            session.account = account
            frame = {"event": "login", "code": 0, "connId": f"{session.number:08x}"}
            session.send(encode_frame(orjson.dumps(frame).decode()))
            return
        session.send(error(code, said))
        session.close()

    def _subscribe(self, session: Session, op: str, arg: dict[str, Any]) -> None:
        if session.account is None:
            session.send(error(NOT_LOGGED_IN, "User needs to log in", arg, op))
            return
        channel, inst = arg.get("channel"), arg.get("instType")
        name = arg.get("coin" if channel == "account" else "instId")
        if not isinstance(inst, str) or not isinstance(name, str):
            session.send(error(WRONG_PARAM, "Param error", arg, op))
            return
        known = name == "default" or (
            channel in ("orders", "fill") and name in self._exchange.market.index
        )
        if inst != INST_TYPE or channel not in CHANNELS or not known:
            said = f"instType:{inst},channel:{channel},instId:{name} doesn't exist"
            session.send(error(CHANNEL_UNKNOWN, said, arg, op))
            return
        key = channel if name == "default" else f"{channel} {name}"
        session.send(encode_frame(orjson.dumps({"event": op, "arg": arg}).decode()))
        if op == "unsubscribe":
            session.args.pop(key, None)
            return
        session.args[key] = arg
        if channel in ("positions", "account"):
            now = self._course.walked_ms
            self._send(session, arg, self._whole(session.account, channel, now), now)


def _symbol(record: Order | Fill | Plan | Closed) -> str:
    return str(record.position.symbol) if isinstance(record, Closed) else record.symbol


def _row(push: Push) -> dict[str, Any]:
    match push.record:
        case Order():
            return _order_row(push.record, push.fill)
        case Fill():
            return fill_push(push.record)
        case Plan():
            return plan_push(push.record)
        case Closed():
            return closed_push(push.record)


def _order_row(order: Order, fill: Fill | None) -> dict[str, Any]:
    fee = shown(minus(ZERO, order.fee))
    row = {
        "accBaseVolume": shown(order.filled),
        "cTime": str(order.created),
        "cancelReason": order.cancel_reason,
        "clientOid": order.client_oid,
        "enterPointSource": order.point,
        "feeDetail": [{"feeCoin": "USDT", "fee": fee}],
        "force": order.force or "gtc",
        "instId": order.symbol,
        "leverage": str(order.leverage),
        "marginCoin": "USDT",
        "marginMode": order.margin_mode,
        "notionalUsd": shown(order.quote),
        "orderId": str(order.id),
        "orderType": order.kind,
        "pnl": shown(order.profit),
        "posMode": "one_way_mode",
        "posSide": "net",
        "presetStopLossExecutePrice": "",
        "presetStopLossPrice": "" if order.stop_loss is None else shown(order.stop_loss),
        "presetStopLossType": "",
        "presetStopSurplusExecutePrice": "",
        "presetStopSurplusPrice": "" if order.take_profit is None else shown(order.take_profit),
        "presetStopSurplusType": "",
        "price": "0" if order.price is None else shown(order.price),
        "priceAvg": average(order.quote, order.filled),
        "reduceOnly": "yes" if order.reduce_only else "no",
        "side": order.side,
        "size": shown(order.size),
        "status": order.status,
        "stpMode": "none",
        "totalProfits": shown(order.profit),
        "tradeSide": order.trade_side,
        "uTime": str(order.updated),
    }
    if fill is None:
        return row
    return row | {
        "baseVolume": shown(fill.size),
        "fillFee": shown(minus(ZERO, fill.fee)),
        "fillFeeCoin": "USDT",
        "fillNotionalUsd": shown(times(fill.price, fill.size)),
        "fillPrice": shown(fill.price),
        "fillTime": str(fill.at),
        "tradeId": str(fill.id),
        "tradeScope": "M" if fill.maker else "T",
    }
