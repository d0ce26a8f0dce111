"""Passwords: argon2id, in threads, few at once; an unknown name takes as long as a known one."""

import asyncio
import secrets
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LEAST, MOST = 10, 200  # characters
AT_ONCE = 2  # each takes 64 MiB while it lasts
WAITING_MAX = 20  # more are refused

R = TypeVar("R")


class BusyError(Exception):
    """Too many passwords are being looked at."""


class Passwords:
    """Makes and checks hashes."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobody = ""  # of a password that nobody has

    async def hashed(self, password: str) -> str:
        return await self._apart(lambda: self._hasher.hash(password))

    async def fits(self, hash_: str | None, password: str) -> bool:
        """Whether it is the password; `hash_` None: there is none, which takes as long to say."""
        found = await self._apart(lambda: self._fits(hash_ or self._of_nobody(), password))
        return found and hash_ is not None

    def _of_nobody(self) -> str:
        if not self._nobody:
            self._nobody = self._hasher.hash(secrets.token_hex())
        return self._nobody

    def _fits(self, hash_: str, password: str) -> bool:
        try:
            return self._hasher.verify(hash_, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _apart(self, work: Callable[[], R]) -> R:
        if self._waiting >= WAITING_MAX:
            raise BusyError
        self._waiting += 1
        try:
            async with self._places:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1
