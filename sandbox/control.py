"""What can be done at the control page and through its API: one action each, told in one sentence."""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.arguments import Arguments, Done
from sandbox.control_apps import AppActions
from sandbox.control_directory import DirectoryActions
from sandbox.control_faults import FaultActions
from sandbox.control_grants import GrantActions
from sandbox.control_people import PeopleActions
from sandbox.directory import World
from sandbox.typed import Unknown


class Control:
    def __init__(self, world: World) -> None:
        self.world = world
        groups = (
            DirectoryActions(world),
            AppActions(world),
            PeopleActions(world),
            GrantActions(world),
            FaultActions(world),
        )
        self.actions: dict[str, Callable[[Arguments], Done]] = {}
        for group in groups:
            self.actions |= group.actions

    def do(self, verb: str, given: Mapping[str, Any]) -> Done:
        if verb not in self.actions:
            raise Unknown(f"There is no action “{verb}”.")
        return self.actions[verb](Arguments(given))
