"""What can be told to go wrong, and when it is."""

import re
from typing import Any

from sandbox.arguments import Arguments, Done
from sandbox.directory import DAY, World
from sandbox.faults import CANCEL, CHANGES, PLACES, WORDS, Fault
from sandbox.graph_errors import GRAPH_ERRORS
from sandbox.permissions import PERMISSIONS
from sandbox.snapshot import fault_data, fault_sentence
from sandbox.things import iso
from sandbox.typed import BadInput

UNITS = (("day", DAY), ("hour", DAY / 24))


class FaultActions:
    def __init__(self, world: World) -> None:
        self._world = world
        self.actions = {
            "set_fault": self.set_fault,
            "clear_fault": self.clear_fault,
            "clear_faults": self.clear_faults,
            "set_trailers": self.set_trailers,
            "advance": self.advance,
            "real_time": self.real_time,
            "reset": self.reset,
        }

    def set_fault(self, given: Arguments) -> Done:
        what = _what(given.raw("what"))
        place = _place(what, given.maybe("grant_type"))
        times = given.number("times", default=0)
        directory = given.maybe("directory")
        client_id = given.maybe("client_id")
        fault = Fault(
            what,
            client_id=client_id.lower() if client_id else None,
            oid=given.maybe("oid"),
            directory=self._world.organization(directory).id if directory else None,
            grant_type=place,
            seconds=min(max(given.number("seconds", default=5), 0), 600),
            times=int(times) or None,
            change=given.object("change"),
            remove=[name for line in given.lines("remove") for name in line.replace(",", " ").split()],
            missing=given.flag("missing"),
        )
        if what in CHANGES and not (fault.change or fault.remove or fault.missing):
            raise BadInput(f"Say what “{what}” should change: “change”, “remove” or “missing”.")
        if what == "partial" and not set(fault.remove) & set(PERMISSIONS):
            raise BadInput("Name in “remove” the permissions that are left out. Example: Mail.Send")
        self._world.set_fault(fault)
        return Done(fault_data(fault, self._world), f"From now on: {fault_sentence(fault, self._world)}.")

    def clear_fault(self, given: Arguments) -> Done:
        self._world.clear_fault(given.text("id"))
        return Done({}, "That fault is cleared.")

    def clear_faults(self, given: Arguments) -> Done:
        self._world.clear_faults()
        return Done({}, "All faults are cleared. The sandbox answers as it should.")

    def set_trailers(self, given: Arguments) -> Done:
        self._world.set_trailers(given.text("style"))
        return Done({}, f"The ids at the end of an error's description are set off by {self._world.trailers} now.")

    def advance(self, given: Arguments) -> Done:
        seconds = given.number("seconds")
        self._world.advance(seconds)
        name, length = next(((name, each) for name, each in UNITS if seconds >= each), ("second", 1.0))
        amount = seconds / length
        step = f"{amount:g} {name}{'' if amount == 1 else 's'}"
        return Done({"now": iso(self._world.now())}, f"The sandbox's clock went forward by {step}.")

    def real_time(self, given: Arguments) -> Done:
        self._world.real_time()
        return Done({"now": iso(self._world.now())}, "The sandbox's clock shows real time again.")

    def reset(self, given: Arguments) -> Done:
        self._world.reset()
        return Done({}, "The sandbox is empty and on real time.")


def _place(what: int | str, place: str | None) -> str | None:
    """Where it strikes. Graph and the sign-in pages fail in ways of their own."""
    if place is not None and place not in PLACES:
        raise BadInput(f"“{place}” is not a place a fault can strike. Choose one of {', '.join(PLACES)}.")
    usual = "graph" if what in GRAPH_ERRORS else "authorize" if what in CANCEL else None
    can = {
        "graph": what in GRAPH_ERRORS or what in WORDS,
        "authorize": what in CANCEL or isinstance(what, int),
    }
    place = place or usual
    if not can.get(place or "", usual is None):
        raise BadInput(f"“{what}” cannot happen at {place}.")
    return place


def _what(value: Any) -> int | str:
    text = str(value).strip()
    number = re.fullmatch(r"(?:AADSTS)?(\d{4,8})", text, re.IGNORECASE)
    if number and not isinstance(value, bool):
        return int(number[1])
    words = [*WORDS, *CANCEL, *CHANGES, *GRAPH_ERRORS]
    if text in words:
        return text
    raise BadInput(f"“{text}” is not a fault. Give an AADSTS number or one of {', '.join(words)}.")
