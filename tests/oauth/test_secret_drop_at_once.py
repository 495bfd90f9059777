"""A secret drop is entered, tried and revoked in the same moment: nobody waits for somebody who waits for them."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from oauth import secret_drop
from oauth.models import Link, Verification
from oauth.tasks import verify
from tenants.models import AppRegistration, Credential
from tests.factories import make_link, make_registration, make_superuser
from tests.oauth.consenting import World
from tests.waiting import until_waiting

ENDS = (date.today() + timedelta(days=180)).isoformat()


def entered(world: World) -> tuple[Link, dict[str, str]]:
    """A link by which a secret was entered that works and was not tried yet, and what was entered."""
    AppRegistration.objects.update(archived_at=timezone.now())
    draft = make_registration(world.link.tenant, cloud="sandbox", client_id="", directory="")
    link, _ = make_link(draft, purpose=Link.Purpose.SECRET)
    ids = {"client_id": world.app["client_id"], "directory": world.directory["id"]}
    fields = {**ids, "secret": world.secret["value"], "ends_on": ENDS}
    form = secret_drop.DropForm(link, fields)
    assert form.is_valid()
    secret_drop.enter(link, form, "127.0.0.1")
    return link, fields


def enter_again(link: Link, fields: dict[str, str]) -> None:
    form = secret_drop.DropForm(link, fields)
    assert form.is_valid()
    with pytest.raises(secret_drop.AlreadyOver):
        secret_drop.enter(link, form, "127.0.0.1")


def revoke(link: Link, fields: dict[str, str]) -> None:
    operator = Client()
    operator.force_login(make_superuser())
    operator.post(f"/admin/oauth/link/{link.pk}/do/revoke/", {"confirmed": "yes"})


@pytest.mark.row_locks
@pytest.mark.parametrize("meanwhile", [enter_again, revoke])
def test_what_happens_by_the_link_while_its_secret_signs_in_waits_and_is_done(
    threaded_world: World, meanwhile: Callable[..., None]
) -> None:
    link, fields = entered(threaded_world)
    with ThreadPoolExecutor(2) as pool:

        def begin(act: Callable[..., Any], *args: Any) -> Future[Any]:
            def alone() -> Any:
                try:
                    return act(*args)
                finally:
                    connection.close()

            return pool.submit(alone)

        with transaction.atomic():
            # Both want this row, so that each has taken what it takes before it.
            AppRegistration.objects.select_for_update(no_key=True).get(pk=link.registration_id)
            trying = begin(verify, Verification.objects.get(link=link).pk)
            until_waiting(1)
            other = begin(meanwhile, link, fields)
            until_waiting(2)
        trying.result(timeout=20)
        other.result(timeout=20)
    credential = Credential.objects.get(registration=link.registration_id)
    assert credential.slot == "current"
    assert Verification.objects.get(link=link).has_signed_in
    link.refresh_from_db()
    assert link.uses == 1
