"""The control page: look at the sandbox's world and change it, with one notice after each change."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox import faults, mail
from sandbox.control import Control, day
from sandbox.directory import AUDIENCES, DAY, BadInput
from sandbox.entra import Origins
from sandbox.things import iso
from sandbox.web import form_of, page, same_origin

PAGES = {
    "overview": ("/control/", "Overview"),
    "apps": ("/control/apps/", "Apps"),
    "people": ("/control/people/", "People"),
    "grants": ("/control/grants/", "Grants"),
    "faults": ("/control/faults/", "Faults and clock"),
    "mail": ("/control/mail/", "Mail"),
}
LIKELY_CODES = {
    7000215: "wrong client secret",
    7000222: "expired client secret",
    700016: "app not found",
    50173: "sessions revoked",
    700082: "refresh token idle for 90 days",
    65001: "consent missing",
    50057: "account disabled",
    50076: "second factor needed",
    53003: "blocked by Conditional Access",
    50196: "loop detected (a kind of throttling)",
    90033: "a passing fault of the service",
}
MOST_NOTICES = 50


@dataclass(frozen=True)
class Notice:
    text: str
    good: bool = True
    secret: str = ""


class ControlDoor:
    def __init__(self, control: Control, origins: Origins, mail_folder: Path | None) -> None:
        self._control = control
        self._world = control.world
        self._origins = origins
        self._mail_folder = mail_folder
        self._notices: OrderedDict[str, Notice] = OrderedDict()

    def routes(self) -> list[Route]:
        shows = {name: getattr(self, f"_{name}") for name in PAGES}
        looks = [Route(PAGES[name][0], self._page(name, show)) for name, show in shows.items()]
        return [*looks, Route("/control/do/{verb}", self.act, methods=["POST"])]

    async def act(self, request: Request) -> Response:
        """One button. The answer is always a page that says what happened."""
        same_origin(request)
        form = await form_of(request)
        back = PAGES.get(form.get("back", ""), PAGES["overview"])[0]
        try:
            if form.get("number"):  # typed, where the list of faults has none for it
                form["what"] = form["number"]
            done = self._control.do(request.path_params["verb"], form)
            notice = Notice(done.notice, secret=done.secret)
        except BadInput as exc:
            notice = Notice(str(exc), good=False)
        key = secrets.token_urlsafe(9)
        self._notices[key] = notice
        while len(self._notices) > MOST_NOTICES:
            self._notices.popitem(last=False)
        return RedirectResponse(f"{back}?notice={key}", 303, {"Cache-Control": "no-store"})

    def _page(self, name: str, show: Any) -> Any:
        async def look(request: Request) -> Response:
            # Taken out when shown: a reload does not show a secret again.
            notice = self._notices.pop(request.query_params.get("notice", ""), None)
            return page(
                f"control/{name}.html",
                here=name,
                pages=PAGES,
                notice=notice,
                now=_minute(self._world.now()),
                shifted=self._world.clock_offset != 0,
                shift_days=f"{self._world.clock_offset / DAY:.3g}",
                fault_count=len(self._world.faults),
                **show(),
            )

        return look

    def _overview(self) -> dict[str, Any]:
        world = self._world
        return {
            "origins": self._origins,
            "directories": [
                {
                    "it": each,
                    "apps": sum(app.directory == each.id for app in world.apps.values()),
                    "people": sum(person.directory == each.id for person in world.people.values()),
                }
                for each in _by_name(world.organizations.values())
            ],
            "requests": list(world.requests)[-12:][::-1],
            "apps": world.apps,
            "people": world.people,
        }

    def _apps(self) -> dict[str, Any]:
        now = self._world.now()
        return {
            "apps": [
                {
                    "it": app,
                    "home": self._world.organizations[app.directory],
                    "secrets": [
                        {"it": each, "ends": day(each.ends_at), "expired": each.ends_at <= now} for each in app.secrets
                    ],
                }
                for app in _by_name(self._world.apps.values())
            ],
            "directories": _by_name(self._world.organizations.values()),
            "audiences": AUDIENCES,
        }

    def _people(self) -> dict[str, Any]:
        people = _by_name(self._world.people.values())
        return {
            "directories": [
                {"it": each, "people": [person for person in people if person.directory == each.id]}
                for each in _by_name(self._world.organizations.values())
            ]
        }

    def _grants(self) -> dict[str, Any]:
        world = self._world
        newest = sorted(world.grants.values(), key=lambda each: each.granted_at, reverse=True)
        return {
            "grants": [
                {
                    "it": each,
                    "app": world.apps[each.client_id],
                    "person": world.people[each.oid],
                    "home": world.organizations[world.people[each.oid].directory],
                    "granted": _minute(each.granted_at),
                    "used": _minute(each.last_used_at) if each.last_used_at is not None else "",
                }
                for each in newest
            ]
        }

    def _faults(self) -> dict[str, Any]:
        return {
            "faults": [self._control.fault_data(each) for each in self._world.faults.values()],
            "codes": LIKELY_CODES,
            "words": faults.WORDS,
            "places": faults.PLACES,
            "apps": _by_name(self._world.apps.values()),
            "people": _by_name(self._world.people.values()),
        }

    def _mail(self) -> dict[str, Any]:
        folder = self._mail_folder
        return {"folder": folder, "mails": mail.newest(folder) if folder else []}


def _by_name(things: Any) -> list[Any]:
    return sorted(things, key=lambda each: each.name.lower())


def _minute(moment: float) -> str:
    return iso(moment)[:16].replace("T", " ") + " UTC"
