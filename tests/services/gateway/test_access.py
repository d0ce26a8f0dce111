"""Who may call: passwords, links, sessions, keys, signatures."""

import asyncio
import hashlib
import hmac
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import jwt
import pytest
from msgspec.structs import replace

from services.gateway.access.gate import Gate
from services.gateway.access.slowing import FORGIVEN_S, FREE_FAILURES, Buckets, Failures
from services.gateway.access.tokens import SESSION_MS_MAX, TOKEN_MS
from services.profile import GatewayConfig
from tests.services.gateway.door import Door, door
from tests.services.gateway.house import PASSWORD, link_for, profile


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Door]:
    async with door(tmp_path, profile()) as made:
        yield made


def clock(at: Door, ahead_ms: int) -> None:
    """The gateway's clock goes ahead by so much."""
    assert isinstance(at.parts.access, Gate)
    at.parts.now_ms = at.parts.access.now_ms = lambda: round(time.time() * 1_000) + ahead_ms


async def test_a_link_sets_a_password_once_and_that_logs_in(at: Door) -> None:
    link = link_for(at.data, "olga")
    said = {"name": "olga", "password": PASSWORD}

    state = await at.ask("GET", f"/v1/setup/{link}")
    other = await at.ask("POST", f"/v1/setup/{link}", {**said, "name": "otto"})
    weak = await at.ask("POST", f"/v1/setup/{link}", {**said, "password": "a" * 12})
    short = await at.ask("POST", f"/v1/setup/{link}", {**said, "password": "short"})
    first = await at.ask("POST", f"/v1/setup/{link}", said)
    again = await at.ask("POST", f"/v1/setup/{link}", said)
    gone = await at.ask("GET", f"/v1/setup/{link}")
    inside = await at.ask("POST", "/v1/login", said)
    me = await at.ask("GET", "/v1/me", token=inside.body["token"])

    assert state.body["name"] == "olga"
    assert [other.kind, weak.kind, short.kind] == ["other_name", "weak_password", "invalid"]
    assert (first.status, again.status, gone.status) == (200, 404, 404)
    assert inside.body["role"] == "owner"
    assert me.body == {
        "name": "olga",
        "role": "owner",
        "agents": ["anna", "bert"],
        "key": "",
        "scopes": [],
    }


async def test_a_link_is_too_old_after_a_day(at: Door) -> None:
    link = link_for(at.data, "olga")

    clock(at, 24 * 3_600_000 + 1)

    assert (await at.ask("GET", f"/v1/setup/{link}")).kind == "unknown_link"


async def test_secrets_are_kept_by_their_owner_alone_and_can_not_be_read_back(at: Door) -> None:
    token = await at.token("olga")
    key = await at.ask("POST", "/v1/keys", {"name": "bot", "scopes": ["read"]}, token=token)
    hook = await at.ask("POST", "/v1/hooks", {"name": "chart"}, token=token)
    files = [each for each in (at.data / "gateway").iterdir() if each.is_file()]

    assert {each.name for each in files} >= {"credentials.sqlite", "token.secret"}
    assert {oct(each.stat().st_mode & 0o777) for each in files} == {"0o600"}
    assert (at.data / "gateway").stat().st_mode & 0o777 == 0o700
    kept = b"".join(each.read_bytes() for each in files if each.name != "token.secret")
    assert b"$argon2id$" in kept
    for secret in (PASSWORD, key.body["secret"], hook.body["url"].rpartition("/")[2]):
        assert secret.encode() not in kept


async def test_a_wrong_password_says_no_more_than_that_and_is_slowed(at: Door) -> None:
    await at.token("olga")
    assert isinstance(at.parts.access, Gate)
    at.parts.access.people.clock = lambda: 1_000.0

    answers = [
        await at.ask("POST", "/v1/login", {"name": name, "password": "wrong password"})
        for name in ("olga", "nobody", "olga", "nobody", "olga", "olga")
    ]

    bodies = {each.raw for each in answers[:FREE_FAILURES]}
    assert len(bodies) == 1
    assert answers[0].kind == "login_failed"
    assert answers[-1].status == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    right = {"name": "olga", "password": PASSWORD}
    assert (await at.ask("POST", "/v1/login", right)).status == 429
    at.parts.access.people.clock = lambda: 1_002.1
    assert (await at.ask("POST", "/v1/login", right)).status == 200
    assert (await at.ask("POST", "/v1/login", right)).status == 200


def test_waits_grow_with_failures_and_are_forgiven_in_time():
    failures, waits = Failures(), []
    for _ in range(FREE_FAILURES + 9):
        waits.append(failures.wait_s(("a",), 0.0))
        failures.failed(("a",), 0.0)

    assert waits == [0.0] * (FREE_FAILURES + 1) + [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert failures.wait_s(("b",), 0.0) == 0.0
    assert failures.wait_s(("b", "a"), 30.0) == 30.0
    assert failures.wait_s(("a",), FORGIVEN_S + 1.0) == 0.0


def test_a_bucket_gives_twice_its_rate_at_once_and_no_more_than_its_rate_later():
    buckets = Buckets(2.0)

    assert [buckets.take("a", 0.0) for _ in range(5)] == [0.0] * 4 + [0.5]
    assert [buckets.take("a", 1.0) for _ in range(3)] == [0.0, 0.0, 0.5]
    assert buckets.take("b", 1.0) == 0.0


async def test_a_session_is_renewed_ended_and_over_in_time(at: Door) -> None:
    token = await at.token("olga")

    renewed = await at.ask("POST", "/v1/refresh", token=token)
    clock(at, TOKEN_MS + 1)
    expired = await at.ask("GET", "/v1/me", token=token)
    clock(at, 0)
    left = await at.ask("POST", "/v1/logout", token=token)
    after = [await at.ask("GET", "/v1/me", token=each) for each in (token, renewed.body["token"])]
    other = await at.token("olga")
    clock(at, SESSION_MS_MAX)
    over = await at.ask("POST", "/v1/refresh", token=other)

    assert expired.kind == "expired_token"
    assert left.status == 204
    assert [each.kind for each in after] == ["session_over"] * 2
    assert over.kind in ("expired_token", "session_over")


async def test_a_new_password_ends_the_sessions_before_it(at: Door) -> None:
    before = await at.token("olga")
    await asyncio.sleep(0.002)  # sessions are told apart by the ms in which they began
    after = await at.token("olga")

    assert (await at.ask("GET", "/v1/me", token=before)).kind == "session_over"
    assert (await at.ask("GET", "/v1/me", token=after)).status == 200


async def test_forged_tokens_open_nothing(at: Door) -> None:
    good = await at.token("olga")
    claims = jwt.decode(good, options={"verify_signature": False})
    head, body, _ = good.split(".")
    forged = [
        "",
        "x",
        "a.b.c",
        good[:-4] + "AAAA",
        f"{head}.{body}.",
        jwt.encode(claims, "x" * 64, "HS256"),
        jwt.encode(claims, "", "none"),
        jwt.encode({**claims, "iss": "other"}, _secret(at), "HS256"),
        jwt.encode({**claims, "sub": "mallory"}, _secret(at), "HS256"),
        jwt.encode({"sub": "olga"}, _secret(at), "HS256"),
        jwt.encode({**claims, "exp": "soon"}, _secret(at), "HS256"),
        "Ā" * 50,
        good * 100,
    ]

    for each in forged:
        answer = await at.ask("GET", "/v1/me", token=each.encode().decode("latin-1"))
        assert answer.status in (401, 431, 400), (each[:40], answer.raw)


def _secret(at: Door) -> bytes:
    return (at.data / "gateway" / "token.secret").read_bytes()


async def test_who_is_not_in_users_any_more_is_nobody(tmp_path: Path) -> None:
    async with door(tmp_path, profile()) as at:
        token = await at.token("otto")
        secret = await at.ask("POST", "/v1/keys", {"name": "bot", "scopes": ["read"]}, token=token)
    without = profile()
    users = {name: user for name, user in without.users.items() if name != "otto"}

    async with door(tmp_path, replace(without, users=users)) as at:
        by_token = await at.ask("GET", "/v1/me", token=token)
        by_key = await at.ask("GET", "/v1/me", headers=key_of(secret.body))

    assert (by_token.kind, by_key.kind) == ("bad_token", "bad_key")


def key_of(made: dict[str, str]) -> dict[str, str]:
    return {"X-API-Key": f"{made['id']}.{made['secret']}"}


async def test_a_key_may_what_its_scopes_and_its_agents_say(at: Door) -> None:
    token = await at.token("olga")
    asked = {"name": "bot", "scopes": ["read"], "agents": ["bert"]}
    made = await at.ask("POST", "/v1/keys", asked, token=token)
    key = key_of(made.body)

    me = await at.ask("GET", "/v1/me", headers=key)
    commanded = await at.ask("POST", "/v1/commands", {"what": "close_all"}, headers=key)
    keyed = await at.ask("GET", "/v1/keys", headers=key)
    wrong = await at.ask("GET", "/v1/me", headers={"X-API-Key": f"{made.body['id']}.wrong"})
    listed = await at.ask("GET", "/v1/keys", token=token)
    removed = await at.ask("DELETE", f"/v1/keys/{made.body['id']}", token=token)
    after = await at.ask("GET", "/v1/me", headers=key)

    assert made.status == 201
    assert (me.body["agents"], me.body["scopes"]) == (["bert"], ["read"])
    assert [commanded.kind, keyed.kind, wrong.kind] == ["scope", "scope", "bad_key"]
    assert [each["id"] for each in listed.body["items"]] == [made.body["id"]]
    assert "secret" not in listed.body["items"][0]
    assert (removed.status, after.kind) == (204, "bad_key")


async def test_a_key_ends_at_its_time_and_belongs_to_its_user(at: Door) -> None:
    owner, operator = await at.token("olga"), await at.token("otto")
    ends = round(time.time() * 1_000) + 60_000
    asked = {"name": "bot", "scopes": ["read", "signals"], "expires_ms": ends}
    made = await at.ask("POST", "/v1/keys", asked, token=owner)
    foreign = await at.ask("DELETE", f"/v1/keys/{made.body['id']}", token=operator)
    beyond = await at.ask("POST", "/v1/keys", {**asked, "agents": ["anna"]}, token=operator)
    past = await at.ask("POST", "/v1/keys", {**asked, "expires_ms": 1}, token=owner)

    before = await at.ask("GET", "/v1/me", headers=key_of(made.body))
    clock(at, 60_001)
    after = await at.ask("GET", "/v1/me", headers=key_of(made.body))

    assert (foreign.kind, beyond.kind, past.kind) == ("unknown_key", "unknown_agent", "invalid")
    assert (before.status, after.kind) == (200, "bad_key")


Signed = Callable[..., dict[str, str]]


async def signing(at: Door) -> Signed:
    """Signs requests with a new key."""
    token = await at.token("olga")
    made = (await at.ask("POST", "/v1/keys", {"name": "bot", "scopes": ["read"]}, token=token)).body

    def signed(target: str, stamp: int, body: bytes = b"", method: str = "GET") -> dict[str, str]:
        key = hashlib.sha256(made["secret"].encode()).hexdigest()
        text = f"{method}\n{target}\n{stamp}\n{hashlib.sha256(body).hexdigest()}"
        mark = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
        return {"X-API-Key": made["id"], "X-Timestamp": str(stamp), "X-Signature": mark}

    return signed


async def test_a_signature_is_taken_once_whatever_begins_anew(tmp_path: Path) -> None:
    """A stamp of the future came after a restart's: what was signed with it was taken again."""
    async with door(tmp_path, profile()) as at:
        signed = await signing(at)
        well = signed("/v1/me", round(time.time() * 1_000) + 25_000)
        first = await at.ask("GET", "/v1/me", headers=well)
    async with door(tmp_path, profile()) as at:
        again = await at.ask("GET", "/v1/me", headers=well)
        fresh = signed("/v1/me", round(time.time() * 1_000) + 25_000)
        other = await at.ask("GET", "/v1/me", headers=fresh)

    assert (first.status, again.kind, other.status) == (200, "used_signature", 200)


async def test_a_signature_stands_for_a_key_once_and_for_half_a_minute(at: Door) -> None:
    signed = await signing(at)
    now = round(time.time() * 1_000)
    target = "/v1/me?a=%20b"
    well = signed(target, now)

    first = await at.ask("GET", target, headers=well)
    again = await at.ask("GET", target, headers=well)
    other = await at.ask("GET", "/v1/me", headers=signed(target, now + 1))
    early = await at.ask("GET", target, headers=signed(target, now + 40_000))
    before = await at.ask("GET", target, headers=signed(target, now - 20_000))
    body = await at.ask("GET", target, raw=b"{}", headers=signed(target, now + 2, b"[]"))
    secret = await at.ask("GET", target, headers={**well, "X-Signature": "secret"})
    empty = await at.ask("GET", target, headers={**well, "X-Timestamp": "soon"})

    assert first.status == 200
    assert [each.kind for each in (again, other, early, before, body, secret, empty)] == [
        "used_signature",
        "bad_signature",
        "old_signature",
        "old_signature",
        "bad_signature",
        "bad_signature",
        "bad_signature",
    ]


async def test_an_owner_makes_links_for_others_and_nobody_else_does(at: Door) -> None:
    owner, operator = await at.token("olga"), await at.token("otto")

    made = await at.ask("POST", "/v1/users/vera/link", token=owner)
    refused = await at.ask("POST", "/v1/users/vera/link", token=operator)
    unknown = await at.ask("POST", "/v1/users/mallory/link", token=owner)
    link = made.body["url"].rpartition("/")[2]
    used = await at.ask("POST", f"/v1/setup/{link}", {"name": "vera", "password": PASSWORD})

    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/#/setup/[A-Za-z0-9_-]+", made.body["url"])
    assert (refused.kind, unknown.kind, used.status) == ("role", "unknown_user", 200)


async def test_requests_are_limited_by_key_and_by_address(tmp_path: Path) -> None:
    slow = GatewayConfig(requests_per_second=0.01, address_requests_per_second=1_000)
    async with door(tmp_path / "one", profile(gateway=slow)) as at:
        one, other = await at.token("olga"), await at.token("otto")
        answers = [await at.ask("GET", "/v1/me", token=one) for _ in range(2)]
        elsewhere = await at.ask("GET", "/v1/me", token=other)
    slow = GatewayConfig(address_requests_per_second=0.01)
    async with door(tmp_path / "two", profile(gateway=slow)) as at:
        by_address = [await at.ask("GET", "/v1/nothing") for _ in range(2)]

    assert [each.status for each in answers] == [200, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert elsewhere.status == 200
    assert [each.status for each in by_address] == [404, 429]
