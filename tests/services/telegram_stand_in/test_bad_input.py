"""Whatever is sent to it, the stand-in answers with what the Bot API can say, and goes on."""

import asyncio
import io

import aiohttp
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.telegram_stand_in.api.methods import KNOWN, call
from services.telegram_stand_in.api.parameters import Parameters
from services.telegram_stand_in.limits import OFF
from services.telegram_stand_in.people import People
from services.telegram_stand_in.refusals import ApiError
from services.telegram_stand_in.server import TOKEN, StandIn
from tests.services.telegram_stand_in.conftest import ANN

FIELDS = (
    "action allowed_updates callback_query_id caption caption_entities chat_id commands document "
    "drop_pending_updates entities file_id language_code limit message_id offset parse_mode photo "
    "reply_markup reply_parameters scope secret_token show_alert text url"
)
SENSIBLE = some.sampled_from(
    [1001, "1001", 1, 2, "@ann", "HTML", "MarkdownV2", "text", "<b>x</b>", -1, 0, str(2**70),
     {"type": "chat", "chat_id": 1001},
     {"inline_keyboard": [[{"text": "a", "callback_data": "b"}]]},
     {"message_id": 1}, [{"type": "bold", "offset": 0, "length": 1}], "attach://x", "ftp://x",
     [{"command": "a", "description": "b"}]]
)  # fmt: skip
WORDS = some.sampled_from(
    ["inline_keyboard", "text", "callback_data", "type", "offset", "length", "message_id", "x"]
)
ANY = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(2**63), 2**63 - 1)
    | some.floats()
    | some.text()
    | SENSIBLE,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@given(
    calls=some.lists(
        some.tuples(
            some.sampled_from(sorted(KNOWN)),
            some.dictionaries(some.sampled_from(FIELDS.split()), SENSIBLE | ANY, max_size=6),
        ),
        max_size=8,
    )
)
def test_any_parameters_are_taken_or_refused(calls):
    stand_in = StandIn(people=(ANN,), limits=OFF)
    People(stand_in.bots[TOKEN]).say(ANN, "/start")
    methods = stand_in._methods[TOKEN]

    async def tried():
        for name, values in calls:
            try:
                orjson.dumps(await call(methods, name, Parameters(values)))
            except ApiError as error:
                orjson.dumps(error.body())

    asyncio.run(tried())


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name="),
        ("multipart/form-data; boundary=b",
         b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xff\xfe\r\n--b--\r\n'),
        ("application/x-www-form-urlencoded", b"%ff%fe=%00&&&=;"),
        ("application/x-www-form-urlencoded; charset=nothing", b"text=x"),
        ("application/json", b'{"chat_id": 1e999}'),
        ("application/json", b"[" * 100_000),
        ("text/plain", b"text=x"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::aiohttp.multipart.BadContentDispositionHeader")
async def test_a_body_of_any_bytes_is_400(room, http, kind, body):
    answer = await http.post(f"/bot{TOKEN}/sendMessage", data=body, headers={"Content-Type": kind})

    assert answer.status == 400
    assert (await answer.json())["ok"] is False


async def test_what_is_too_large_is_413(room, http):
    form = aiohttp.FormData({"chat_id": "1001"})
    form.add_field("photo", io.BytesIO(bytes((10 << 20) + 1)), filename="x.png")

    answer = await http.post(f"/bot{TOKEN}/sendPhoto", data=form)

    assert (await answer.json())["description"] == "Request Entity Too Large"
    assert answer.status == 413


@pytest.mark.parametrize(
    "path", ["/control/chats/1001?limit=x", "/control/chats/7", "/control/chats/x",
             "/control/taps/7", "/control/files/../../x", "/control/state?bot=%00", "/bot/getMe",
             "/botx", "/file/botx/files/y", "/nothing"]
)  # fmt: skip
async def test_an_address_that_leads_nowhere_is_said(room, http, path):
    answer = await http.get(path)

    assert answer.status in (400, 401, 404) or path.startswith("/control/state")
