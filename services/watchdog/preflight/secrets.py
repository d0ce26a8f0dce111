"""Keys and the bot's token: whether they are there where the profile needs them, and private."""

from collections.abc import Mapping

from chandler.core.notices.routing import TELEGRAM
from chandler.core.trading.broker import AccountError
from chandler.exchanges.bitget.trade.keys import load_keys
from chandler.streams.settings import Installation
from services.notifier.token import TokenError, token_of
from services.profile import Profile
from services.watchdog.preflight.findings import Finding, failure, warning, well


def accounts_with_keys(profile: Profile) -> dict[str, str]:
    """The name of the keys of each account that an enabled live agent trades on, by account.

    Those on the simulator need none: it makes its own.
    """
    agents = profile.agents.values()
    used = {agent.account for agent in agents if agent.enabled and agent.mode == "live"}
    return {
        name: account.keys or name
        for name, account in profile.accounts.items()
        if name in used and not account.on_simulator
    }


def keys(installation: Installation, profile: Profile, environ: Mapping[str, str]) -> list[Finding]:
    """A finding for each account that needs keys; whether the venue takes them is told later."""
    found = []
    for account, name in accounts_with_keys(profile).items():
        try:
            load_keys(name, installation.data, environ)
        except AccountError as error:
            cure = "make a key at the venue that may trade and not withdraw, then ./chandler setup"
            found.append(failure("keys", f"account {account}: {error}", cure))
        else:
            found.append(well("keys", f"account {account} has its keys"))
    return found


def telegram(
    installation: Installation, profile: Profile, environ: Mapping[str, str]
) -> list[Finding]:
    """Nothing where nobody is to be told. A token that is missing keeps no one from trading."""
    if profile.telegram.stand_in:
        return [well("telegram", "a server of our own stands in: no token is needed")]
    told = [name for name, user in profile.users.items() if user.channel == TELEGRAM]
    if not told:
        return []
    try:
        token = token_of(installation, profile, environ)
    except TokenError as error:
        return [failure("telegram", str(error), "put the token in again: ./chandler setup")]
    if not token:
        return [
            warning(
                "telegram",
                f"no token, so {', '.join(told)} will be told nothing; the rest starts",
                "get one from Telegram's BotFather, then ./chandler setup",
            )
        ]
    return [well("telegram", "the bot's token is there")]
