"""The stand-in's page in a browser, with the real library's bot at the other end."""

import asyncio
import json
import struct
import threading

import pytest
from aiogram import Dispatcher
from aiogram.filters import Command
from aiogram.types import (
    BotCommand,
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
)

from services.telegram_stand_in.limits import OFF
from services.telegram_stand_in.server import StandIn
from tests.browser import chromium
from tests.services.telegram_stand_in.conftest import ANN, WAIT_S_MAX, library
from tests.services.telegram_stand_in.test_messages import picture

DESK, PHONE = (1180, 900), (390, 844)
EVIL = "</script><img src=x onerror=alert(1)>"
STATUS = (
    "<b>Trading is on</b> · <i>paper</i>\nBalance <code>10 214.50</code> USDT\n"
    '<a href="https://example.org">the desk</a> · <tg-spoiler>+2.1 %</tg-spoiler>\n'
    "<blockquote>3 positions, 0 unresolved orders</blockquote>"
    '<pre><code class="language-text">BTCUSDT  long   +41.20\nETHUSDT  short   -3.07</code></pre>'
)


def desk():
    """A bot with a few commands: a forced buy with confirmation, status, a picture."""
    dispatcher = Dispatcher()

    @dispatcher.message(Command("buy"))
    async def buy(message, command):
        buttons = [[InlineKeyboardButton(text="Buy", callback_data=f"yes:{command.args}"),
                    InlineKeyboardButton(text="Leave it", callback_data="no")],
                   [InlineKeyboardButton(text="Why?", url="https://example.org/why")]]  # fmt: skip
        markup = InlineKeyboardMarkup(inline_keyboard=buttons)
        await message.reply(f"Buy {command.args} at market?", reply_markup=markup)

    @dispatcher.message(Command("status"))
    async def status(message):
        await message.answer(STATUS, parse_mode="HTML")

    @dispatcher.message(Command("picture"))
    async def photo(message):
        file = BufferedInputFile(picture(360, 200), "equity.png")
        await message.answer_photo(file, caption="Equity of the day")

    @dispatcher.message()
    async def echo(message):
        await message.answer(f"{message.from_user.first_name} said: {message.text}")

    @dispatcher.callback_query()
    async def tapped(query):
        await query.message.edit_text(f"Bought {query.data.partition(':')[2]}")
        await query.answer("Order placed")

    return dispatcher


class Served:
    """A stand-in with its bot, in a thread of its own."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.dispatcher = desk()

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S_MAX)

    async def _begin(self):
        self.stand_in = await StandIn(people=(ANN,), limits=OFF).__aenter__()
        self.bot = library(self.stand_in)
        commands = (("buy", "A forced buy"), ("status", "How it goes"), ("picture", "Equity"))
        await self.bot.set_my_commands(
            [BotCommand(command=name, description=text) for name, text in commands]
        )
        self._polling = asyncio.create_task(
            self.dispatcher.start_polling(self.bot, handle_signals=False)
        )

    async def _end(self):
        await self.dispatcher.stop_polling()
        await self._polling
        await self.stand_in.__aexit__()

    def __enter__(self):
        self._thread.start()
        self.run(self._begin())
        return self

    def __exit__(self, *_):
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Telephone:
    """The page in a browser, for one person."""

    def __init__(self, browser, served, user, size):
        self.browser = browser
        browser.errors.clear()
        browser.requests.clear()
        browser.show(*size, touch=size == PHONE)
        self.base = served.stand_in.url
        browser.ask("Page.navigate", url=f"{self.base}/#{user}")
        self.until("document.querySelector('#status')?.textContent === 'bot'")

    def until(self, true):
        """Waits until an expression holds: it is asked again when the page changes."""
        assert self.browser.run(
            "new Promise((found, never) => {"
            f"const holds = () => {true};"
            "const watch = new MutationObserver(() => {"
            "  if (holds()) { watch.disconnect(); found(true); }});"
            "watch.observe(document, {subtree: true, childList: true, attributes: true,"
            "  characterData: true});"
            "if (holds()) { watch.disconnect(); found(true); }"
            f"setTimeout(() => never(new Error('never: ' + document.body.innerText)),"
            f" {int(WAIT_S_MAX * 500)});}})"
        )

    def says(self, text):
        return f"document.querySelector('#list').innerText.includes({json.dumps(text)})"

    def write(self, text):
        self.browser.run(
            "{const f = document.querySelector('#field'); f.focus();"
            f"f.value = {json.dumps(text)}; f.dispatchEvent(new Event('input')); 0}}"
        )

    def send(self, text):
        self.write(text)
        self.browser.run("document.querySelector('#write').requestSubmit()")

    def well(self):
        assert self.browser.errors == []
        assert all(each.startswith((self.base, "data:,", "about:")) for each in
                   self.browser.requests)  # fmt: skip
        width = self.browser.run("document.documentElement.scrollWidth")
        assert width <= self.browser.run("innerWidth"), "the page is wider than the window"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium.running(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture
def served(browser):
    with Served() as found:
        yield found
        # The page leaves before the stand-in does.
        browser.ask("Page.navigate", url="about:blank")


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_a_person_buys_with_confirmation_and_sees_what_came_of_it(browser, served, tmp_path, size):
    phone = Telephone(browser, served, ANN.user_id, size)

    phone.send("/buy ETHUSDT 25")
    phone.until(phone.says("at market?"))
    phone.until("document.querySelectorAll('.row button').length === 2")
    browser.run("document.querySelector('.row button').click()")
    phone.until(phone.says("Bought ETHUSDT 25"))
    phone.until("document.querySelector('#toast').innerText === 'Order placed'")
    phone.send("/status")
    phone.until(phone.says("Trading is on"))
    phone.send("/picture")
    phone.until("document.querySelector('.picture img')?.naturalWidth === 360")
    image = browser.picture(tmp_path / "page.png", whole=False)

    assert struct.unpack(">II", image[16:24]) == size
    assert browser.run("document.querySelector('.text b').innerText") == "Trading is on"
    assert browser.run("document.querySelector('.text pre').innerText").count("\n") == 1
    assert browser.run("document.querySelectorAll('.quote').length") == 1
    phone.well()


def test_commands_are_completed(browser, served):
    phone = Telephone(browser, served, ANN.user_id, PHONE)
    shown = "[...document.querySelectorAll('#commands li b')].map(each => each.innerText)"

    phone.write("/")
    assert browser.run(shown) == ["/buy", "/status", "/picture"]
    phone.write("/s")
    assert browser.run(shown) == ["/status"]
    browser.press("ArrowDown")
    browser.press("Enter")

    assert browser.run("document.querySelector('#field').value") == "/status "
    assert browser.run("document.querySelector('#commands').hidden")
    phone.well()


def test_a_message_is_edited_and_a_deleted_one_is_marked(browser, served):
    phone = Telephone(browser, served, ANN.user_id, DESK)
    phone.send("one")
    phone.until(phone.says("Ann said: one"))

    browser.run("document.querySelector('.mine .meta button').click()")
    assert browser.run("document.querySelector('#field').value") == "one"
    phone.send("two")
    phone.until(phone.says("edited"))
    served.run(served.bot.delete_message(ANN.user_id, 2))
    phone.until(phone.says("a message was deleted"))

    assert not browser.run(phone.says("Ann said: one"))
    phone.well()


def test_two_people_have_a_chat_each(browser, served):
    phone = Telephone(browser, served, ANN.user_id, DESK)
    phone.send("hello from Ann")
    phone.until(phone.says("Ann said: hello"))

    browser.run(
        "{const f = document.querySelector('#join'); f.elements.id.value = '1002';"
        "f.elements.name.value = 'Ben'; f.requestSubmit(); 0}"
    )
    phone.until("document.querySelectorAll('.person').length === 2")
    phone.until("!document.querySelector('article')")
    phone.send("hello from Ben")
    phone.until(phone.says("Ben said: hello"))

    assert browser.run("location.hash") == "#1002"
    assert not browser.run(phone.says("Ann"))
    browser.run("document.querySelectorAll('.person')[0].click()")
    phone.until(phone.says("hello from Ann"))
    phone.well()


def test_words_are_shown_as_they_are(browser, served):
    phone = Telephone(browser, served, ANN.user_id, PHONE)

    phone.send(EVIL)
    phone.until(phone.says(f"Ann said: {EVIL}"))

    assert browser.run("document.querySelectorAll('article img, article script').length") == 0
    phone.well()


def test_the_page_finds_the_chat_again_after_the_port_was_closed(browser, served):
    phone = Telephone(browser, served, ANN.user_id, DESK)

    served.run(served.stand_in.close_port())
    phone.until("document.querySelector('#status').classList.contains('lost')")
    served.run(served.stand_in.open_port())
    served.run(served.bot.send_message(ANN.user_id, "back again"))
    phone.until(phone.says("back again"))

    assert not browser.run("document.querySelector('#status').classList.contains('lost')")
