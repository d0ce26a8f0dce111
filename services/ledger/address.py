"""Where the ledger is: a file of the data directory, or a PostgreSQL by URL.

CHANDLER_LEDGER is stronger than the profile's ledger.url. A password is never in the profile: it
comes from CHANDLER_LEDGER_PASSWORD, from the file that CHANDLER_LEDGER_PASSWORD_FILE names, or from
what PostgreSQL's own client reads.
"""

import os
from collections.abc import Mapping

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from chandler.streams.settings import Installation
from services.deploying.mounted import mounted
from services.layers import ConfigurationError

URL_VARIABLE = "CHANDLER_LEDGER"
PASSWORD_VARIABLE = "CHANDLER_LEDGER_PASSWORD"  # noqa: S105 - a name, no secret
FILE_VARIABLE = "CHANDLER_LEDGER_PASSWORD_FILE"  # a platform's secret
FILE_NAME = "ledger.sqlite"
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


def address(
    installation: Installation, profile_url: str = "", environ: Mapping[str, str] = os.environ
) -> URL:
    """The ledger's URL, its password included; ConfigurationError says what is wrong with it."""
    text = environ.get(URL_VARIABLE) or profile_url
    if not text:
        return URL.create("sqlite", database=str(installation.data / FILE_NAME))
    source = URL_VARIABLE if environ.get(URL_VARIABLE) else "ledger.url"
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigurationError(
            f"{source} is no URL: expected postgresql://USER@HOST/NAME or sqlite:////PATH"
        ) from None
    if url.drivername == "sqlite":
        return _file(url, source)
    if url.drivername not in _POSTGRESQL:
        raise ConfigurationError(
            f"{source} begins with {url.drivername}: expected sqlite or postgresql"
        )
    if url.password is not None and source != URL_VARIABLE:
        raise ConfigurationError(
            f"{source} holds a password: leave it out there and set {PASSWORD_VARIABLE}"
        )
    if not url.database:
        raise ConfigurationError(f"{source} names no database: postgresql://USER@HOST/NAME")
    password = environ.get(PASSWORD_VARIABLE) or mounted(FILE_VARIABLE, environ) or url.password
    return url.set(drivername="postgresql+psycopg", password=password)


def _file(url: URL, source: str) -> URL:
    if not url.database or url.database == ":memory:" or url.query:
        raise ConfigurationError(f"{source} names no file: sqlite:////PATH/{FILE_NAME}")
    return url


def shown(url: URL) -> str:
    """The URL for people: never with its password."""
    return url.render_as_string(hide_password=True)
