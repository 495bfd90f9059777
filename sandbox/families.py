"""Refresh tokens that work once."""

import uuid
from collections.abc import Mapping
from typing import Any

from sandbox.store import Store


class Families:
    """Of each family of refresh tokens, which one sign-in began, only the newest works.

    When an older one is shown again, somebody else holds a copy: then the whole family ends.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.newest: dict[str, str] = {}

    def next(self, family: str = "") -> dict[str, str]:
        """The marks of the token that comes next, in a new family unless one is named. It ends the one before."""
        marks = {"family": family or uuid.uuid4().hex, "id": uuid.uuid4().hex}
        self.newest[marks["family"]] = marks["id"]
        self._store.write(put=[("family", marks["family"], {"newest": marks["id"]})])
        return marks

    def works(self, token: Mapping[str, Any]) -> bool:
        """Whether this is its family's newest. If not, none of them is from now on."""
        family = token.get("family", "")
        if self.newest.get(family, "") == token.get("id"):
            return True
        if self.newest.pop(family, ""):
            self._store.write(drop=[("family", family)])
        return False
