"""The control page: look at the sandbox's world and change it, with one notice after each change."""

import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.control import Control
from sandbox.control_views import Views, minute
from sandbox.directory import DAY
from sandbox.entra import Origins
from sandbox.typed import BadInput
from sandbox.web import form_of, page, same_origin

PAGES = {
    "overview": ("/control/", "Overview"),
    "apps": ("/control/apps/", "Apps"),
    "people": ("/control/people/", "People"),
    "grants": ("/control/grants/", "Grants"),
    "faults": ("/control/faults/", "Faults and clock"),
    "mail": ("/control/mail/", "Mail"),
}
LISTS = ("permissions",)  # fields with a box for each value
MOST_NOTICES = 50


@dataclass(frozen=True)
class Notice:
    text: str
    good: bool = True
    secret: str = ""
    secret_id: str = ""


class ControlDoor:
    def __init__(self, control: Control, origins: Origins, mail_folder: Path | None) -> None:
        self._control = control
        self._world = control.world
        self._views = Views(control.world, origins, mail_folder)
        self._notices: OrderedDict[str, Notice] = OrderedDict()

    def routes(self) -> list[Route]:
        looks = [Route(path, self._page(name, getattr(self._views, name))) for name, (path, _) in PAGES.items()]
        return [*looks, Route("/control/do/{verb}", self.act, methods=["POST"])]

    async def act(self, request: Request) -> Response:
        """One button. The answer is always a page that says what happened."""
        same_origin(request)
        form = await form_of(request, LISTS)
        back = PAGES.get(form.get("back", ""), PAGES["overview"])[0]
        try:
            if form.get("number"):  # typed, where the list of faults has none for it
                form["what"] = form["number"]
            done = self._control.do(request.path_params["verb"], form)
            notice = Notice(done.notice, secret=done.secret, secret_id=done.secret_id)
        except BadInput as exc:
            notice = Notice(str(exc), good=False)
        key = secrets.token_urlsafe(9)
        self._notices[key] = notice
        while len(self._notices) > MOST_NOTICES:
            self._notices.popitem(last=False)
        return RedirectResponse(f"{back}?notice={key}", 303, {"Cache-Control": "no-store"})

    def _page(self, name: str, show: Callable[[], dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
        async def look(request: Request) -> Response:
            # Taken out when shown: a reload does not show a secret again.
            notice = self._notices.pop(request.query_params.get("notice", ""), None)
            return page(
                f"control/{name}.html",
                here=name,
                pages=PAGES,
                notice=notice,
                now=minute(self._world.now()),
                shifted=self._world.clock_offset != 0,
                shift_days=f"{self._world.clock_offset / DAY:.3g}",
                badges={
                    "faults": len(self._world.faults),
                    "grants": sum(each.state == "pending" for each in self._world.approvals.values()),
                },
                **show(),
            )

        return look
