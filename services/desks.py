"""The desk of a profile: its shards with their agents, ready to decide."""

from chandler.core.desk.config import Desk, DeskError
from chandler.core.desk.config import resolve as resolve_desk
from chandler.streams.catalogue import DESK_PARTITIONS
from services import plugins
from services.layers import ConfigurationError
from services.profile import Profile


def desks(profile: Profile, loaded: plugins.Plugins | None = None) -> tuple[Desk, ...]:
    """Every shard, paper ones first; ConfigurationError says in one line what is wrong."""
    loaded = loaded or plugins.load()
    for name, agent in profile.agents.items():
        if agent.mode == "paper" and name in profile.accounts:
            raise ConfigurationError(
                f"agent {name}: an account is called {name} too: a paper agent's own account has "
                "its name, rename one of them"
            )
    engines = [engine.name for engine in plugins.resolution(profile, loaded).engines]
    try:
        return resolve_desk(
            profile.agents,
            modes=loaded.modes,
            engines=engines,
            accounts=profile.accounts,
            desk=profile.desk,
            paper=profile.paper,
            pump=profile.pump,
            pace=profile.pace,
            live=profile.mode == "live",
            partitions=DESK_PARTITIONS,
        )
    except DeskError as error:
        raise ConfigurationError(str(error)) from None
