"""`gateway link`, `gateway key`: the first way in, for whoever has this machine's files."""

import time
from typing import Annotated

import msgspec
import typer

from chandler.streams.settings import Installation
from services.gateway.access.links import make_link, owners_without
from services.gateway.access.secrets import new_id, new_secret, sealed
from services.gateway.access.store import SCOPES, Key, Store
from services.gateway.address import setup_url, url
from services.layers import ConfigurationError
from services.loading import configuration
from services.profile import Profile
from services.runner import installed
from services.topology import Worker

app = typer.Typer(no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="for programs")]


@app.callback()
def gateway() -> None:
    """Links and keys of the gateway; the page does the rest."""


@app.command()
def link(
    user: Annotated[str, typer.Argument(help="of the profile's users; none: the first owner")] = "",
    as_json: AsJson = False,
) -> int:
    """A one-time link with which somebody sets a password; an older one ends."""
    installation, profile = _here()
    name = _user(profile, user)
    store = Store(installation.data)
    token, expires_ms = make_link(store, name, _now_ms())
    store.close()
    made = setup_url(installation, profile, token)
    if as_json:
        said = {"user": name, "url": made, "expires_ms": expires_ms}
        typer.echo(msgspec.json.encode(said).decode())
    else:
        typer.echo(made)
    return 0


@app.command()
def key(
    name: Annotated[str, typer.Argument(help="of the key, for you")],
    user: Annotated[str, typer.Option(help="whose; none: the first owner's")] = "",
    scopes: Annotated[str, typer.Option(help="with commas: read, signals, commands")] = "read",
    as_json: AsJson = False,
) -> int:
    """An API key; what it prints is shown this once."""
    wanted = {each.strip() for each in scopes.split(",")}
    if not wanted <= set(SCOPES):
        raise typer.BadParameter(f"--scopes {scopes}: expected some of {', '.join(SCOPES)}")
    installation, profile = _here()
    secret = new_secret()
    made = Key(
        id=new_id(),
        user=_user(profile, user),
        name=name[:40],
        hash=sealed(secret),
        scopes=tuple(sorted(wanted)),
        agents=(),
        made_ms=_now_ms(),
        expires_ms=0,
    )
    store = Store(installation.data)
    store.put_key(made)
    store.close()
    shown = f"{made.id}.{secret}"
    if as_json:
        said = {"user": made.user, "key": shown, "url": url(installation, profile)}
        typer.echo(msgspec.json.encode(said).decode())
    else:
        typer.echo(shown)
    return 0


def pages(installation: Installation, profile: Profile, workers: list[Worker]) -> dict[str, str]:
    """What `up` says of the gateway: its page, and the first way in while there is none."""
    if Worker("gateway", 0) not in workers:
        return {}
    found = {"the page": f"{url(installation, profile)}/"}
    store = Store(installation.data)
    try:
        if owners := owners_without(profile.users, store.with_password()):
            token, _ = make_link(store, owners[0], _now_ms())
            what = f"the password of {owners[0]} is set here, once and within a day"
            found[what] = setup_url(installation, profile, token)
    finally:
        store.close()
    return found


def _here() -> tuple[Installation, Profile]:
    installation = installed()
    return installation, configuration(installation).profile


def _user(profile: Profile, name: str) -> str:
    """Somebody of [users]; "": the first owner. ConfigurationError."""
    owners = [each for each, user in profile.users.items() if user.role == "owner"]
    found = name or next(iter(owners), "")
    if found not in profile.users:
        there = " ".join(profile.users) or "nobody"
        wanted = f"users.{name}" if name else "an owner among [users]"
        raise ConfigurationError(
            f"{wanted}: expected in profile {profile.name}, found {there}: add [users.NAME] with "
            'role = "owner" to it'
        )
    return found


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
