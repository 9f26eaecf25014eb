"""A password is tried by one request at a time until the registry takes it, so that a wrong one is sent once.

Once a plugin would do harm: registries, and directories behind them, lock an account after a few wrong passwords.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class PasswordTrial:
    """Remember for one host and its credentials whether they were taken; threads and repositories share it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._taken = False
        self.refused = ""
        """What the registry said when it refused them, before it had ever taken them."""

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until nobody else tries the password; at once where it is known to be right."""
        if self._taken:
            yield
            return
        with self._turn:
            yield

    def take(self) -> None:
        """Note that the registry knows the password: a later refusal is about rights, of one repository."""
        self._taken = True

    def refuse(self, said: str) -> None:
        """Note that the registry refuses the password."""
        if not self._taken:
            self.refused = said
