"""Those who are not on the list: refused with one line; the owners are told once a day at most."""

from msgspec.structs import replace

from chandler.core.granularity import DAY_MS
from chandler.core.notices.text import clean
from chandler.core.notices.words import NAME_MAX, one_line
from services.notifier.talk import Asked, Decided, Talks

STRANGERS_MAX = 200  # that are remembered; of more than these in a day nobody is told


def refused(talks: Talks, asked: Asked, now: int) -> Decided:
    """The refusal, in private only, and what the owners are told.

    In a group only a command or a tap counts: what people say to each other is not ours.
    """
    if not (asked.private or asked.data or asked.text.startswith("/")):
        return Decided(talks=talks)
    refusal = (
        f"You are not on the list of this bot. Your id is {asked.user_id}: give it to the owner."
    )
    known = {user: told for user, told in talks.strangers.items() if abs(now - told) < DAY_MS}
    owners = ""
    if str(asked.user_id) not in known and len(known) < STRANGERS_MAX:
        known[str(asked.user_id)] = now
        name = clean(one_line(asked.name[: 4 * NAME_MAX], NAME_MAX)) or "without a name"
        owners = (
            f"A stranger wrote: id {asked.user_id}, calls itself '{name}'. Refused; to let it in, "
            f"add a user with telegram_id = {asked.user_id} to [users] of the profile."
        )
        if len(known) == STRANGERS_MAX:
            owners += f" These were {STRANGERS_MAX} in a day: of more you are not told for now."
    return Decided(
        talks=replace(talks, strangers=known),
        refusal=refusal if asked.private else "",
        owners=owners,
        tapped="You are not on the list" if asked.tap or asked.data else "",
    )
