"""Whose browser it is: sign-ins handed to others, answers fed to others, and answers that come again and again."""

import pytest
from django.test import Client

from oauth.models import AdminGrant, Connection, ConsentAttempt, Link
from tenants.models import Event
from tests.oauth.consenting import World, another_address, approve, at_once, come_back, go, report, state_in


def attempts() -> list[tuple[str, bool]]:
    """Of each attempt its outcome, and whether it was claimed."""
    return [(each.outcome, each.claimed_at is not None) for each in ConsentAttempt.objects.order_by("created_at")]


def twin_of(client: Client) -> Client:
    """The same browser once more: another tab, or a request sent again."""
    twin = Client()
    twin.cookies = client.cookies.copy()
    return twin


# An attacker's sign-in, handed to a victim


def test_a_half_done_sign_in_handed_to_a_victim_connects_nobody(world: World) -> None:
    attacker, victim = Client(), Client()
    victims_answer = world.sign_in(go(attacker, world))

    assert come_back(victim, victims_answer).status_code == 400
    assert (attempts(), world.redemptions(), Connection.objects.count()) == ([("", False)], [], 0)


def test_an_answer_in_another_browser_is_in_the_history_once(world: World) -> None:
    fields = world.sign_in(go(Client(), world))
    for _ in range(3):
        come_back(Client(), fields)

    event = Event.objects.get(verb="answer refused")
    assert (event.subject_id, event.tenant_id) == (str(world.link.pk), world.link.tenant_id)
    assert str(ConsentAttempt.objects.get().pk) in event.reason
    assert fields["state"] not in event.reason
    assert fields["code"] not in event.reason


def test_an_answer_of_nobodys_attempt_is_no_history(world: World) -> None:
    come_back(Client(), {"state": "made-up", "code": "made-up"})

    assert not Event.objects.exists()


def test_a_victim_who_opened_the_link_too_is_still_another_browser(world: World) -> None:
    attacker, victim = Client(), Client()
    fields = world.sign_in(go(attacker, world))
    victim.get(f"/c/{world.token}/")

    assert come_back(victim, fields).status_code == 400
    assert attempts() == [("", False)]


def test_an_approval_in_another_browser_reports_nothing(world: World) -> None:
    state = state_in(approve(Client(), world))

    response = report(Client(), {"state": state, "admin_consent": "True", "tenant": world.directory["id"]})

    assert response.status_code == 400
    assert (attempts(), AdminGrant.objects.count()) == ([("", False)], 0)


# An attacker's answer, fed to a victim


def test_an_attackers_code_under_the_victims_state_is_worth_nothing(world: World) -> None:
    Link.objects.update(max_uses=2)
    attacker, victim = Client(), Client()
    mallory = world.microsoft.add_person(world.directory["id"], "Mallory", "mallory@contoso.example")
    stolen = world.sign_in(go(attacker, world), oid=mallory["oid"])
    state = state_in(go(victim, world))

    come_back(victim, {"state": state, "code": stolen["code"]})

    assert attempts() == [("", False), ("refused", True)]
    assert Connection.objects.count() == 0


def test_foreign_answers_burn_nothing_of_ones_own(world: World) -> None:
    Link.objects.update(max_uses=2)
    attacker, victim = Client(), Client()
    foreign = world.sign_in(go(attacker, world))
    own = world.sign_in(go(victim, world))
    for number in range(20):
        assert come_back(victim, foreign, **another_address(number)).status_code == 400

    assert come_back(victim, own).status_code == 303
    assert attempts() == [("", False), ("connected", True)]


def test_an_answer_counts_only_the_way_it_was_asked_for(world: World) -> None:
    client = Client()
    approval = state_in(approve(client, world))
    sign_in = world.sign_in(go(client, world))
    said = {"admin_consent": "True", "tenant": world.directory["id"]}

    assert come_back(client, {"state": approval, "code": sign_in["code"]}).status_code == 400
    assert report(client, {"state": sign_in["state"], **said}).status_code == 400
    assert (attempts(), world.redemptions(), AdminGrant.objects.count()) == ([("", False)] * 2, [], 0)


@pytest.mark.parametrize("cloud_key", ["global", "china", "nowhere"])
def test_an_approval_is_refused_at_another_clouds_address(world: World, cloud_key: str) -> None:
    client = Client()
    said = {"state": state_in(approve(client, world)), "admin_consent": "True", "tenant": world.directory["id"]}

    assert report(client, said, cloud=cloud_key).status_code == 400
    assert attempts() == [("", False)]


# Cookies that somebody planted


def test_a_start_takes_no_secret_from_the_browser(world: World) -> None:
    victim = Client()
    victim.cookies["attempt-" + "1" * 32] = "000000000001.planted"
    victim.get(f"/c/{world.token}/")
    victim.post(f"/connect/{world.link.public_id}/start/")

    attempt = ConsentAttempt.objects.get()
    assert "planted" not in victim.cookies[f"attempt-{attempt.pk.hex}"].value


def test_a_cookie_that_was_planted_under_the_attempts_own_name_is_no_key(world: World) -> None:
    attacker, victim = Client(), Client()
    fields = world.sign_in(go(attacker, world))
    attempt = ConsentAttempt.objects.get()
    for value in ("", ".", "000000000001.", "000000000001.planted", str(attempt.pk), fields["state"]):
        victim.cookies[f"attempt-{attempt.pk.hex}"] = value
        assert come_back(victim, fields).status_code == 400, value

    assert attempts() == [("", False)]


def test_the_cookie_of_one_attempt_answers_no_other(world: World) -> None:
    Link.objects.update(max_uses=2)
    attacker, victim = Client(), Client()
    go(victim, world)
    [own] = [name for name in victim.cookies if name.startswith("attempt-")]
    fields = world.sign_in(go(attacker, world))
    foreign = ConsentAttempt.objects.latest("created_at")
    victim.cookies[f"attempt-{foreign.pk.hex}"] = victim.cookies[own].value

    assert come_back(victim, fields).status_code == 400
    assert attempts() == [("", False)] * 2


# The same answer again


def test_a_hundred_replays_redeem_nothing_more(world: World) -> None:
    client = Client()
    fields = world.sign_in(go(client, world))
    come_back(client, fields)
    token = Connection.objects.get().refresh_token

    statuses = {come_back(client, fields, **another_address(number)).status_code for number in range(100)}

    assert statuses == {400}
    assert len(world.redemptions()) == 1
    assert Connection.objects.get().refresh_token == token


def test_of_fifty_approvals_at_once_one_is_reported(threaded_world: World) -> None:
    client = Client()
    said = {
        "state": state_in(approve(client, threaded_world)),
        "admin_consent": "True",
        "tenant": threaded_world.directory["id"],
    }

    statuses = at_once(*[lambda: report(twin_of(client), said).status_code] * 50)

    assert sorted(statuses) == [303] + [400] * 49
    assert (attempts(), AdminGrant.objects.count()) == ([("approved", True)], 1)
    assert Event.objects.filter(verb="approval reported").count() == 1


def test_of_twelve_people_with_one_use_left_one_is_connected(threaded_world: World) -> None:
    world = threaded_world
    answers = []
    for number in range(12):
        person = world.microsoft.add_person(world.directory["id"], f"P{number}", f"p{number}@contoso.example")
        browser = Client()
        answers.append((browser, world.sign_in(go(browser, world), oid=person["oid"])))

    statuses = at_once(*[lambda each=each: come_back(*each).status_code for each in answers])

    assert statuses == [303] * 12
    assert sorted(attempts()) == [("connected", True)] + [("rejected", True)] * 11
    assert (Connection.objects.count(), Link.objects.get(purpose="consent").uses) == (1, 1)
