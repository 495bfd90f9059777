"""Every outcome of a consent as people meet it, in a real browser, and as it is stored for their operator."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.e2e.customers import Customers, Wanted
from tests.e2e.notices import notice_for
from tests.e2e.outcomes import CASES, STOPS, WALKS
from tests.e2e.outsider import Outsider
from tests.e2e.returns import Returns
from tests.e2e.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.processes]

Somebody = Callable[..., Outsider]


def query_of(path: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(path).query)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("outcomes"), "http", TRUSTED_PROXIES="127.0.0.1") as site:
        yield site


@pytest.fixture(scope="module")
def product() -> Iterator[Returns]:
    with Returns() as product:
        yield product


@pytest.fixture(scope="module")
def customers(site: Site, product: Returns) -> Customers:
    followed = {name: each.wanted for name, each in CASES.items()} | {name: each.wanted for name, each in STOPS.items()}
    returning = Wanted(return_url=product.url, links={"link": {"return_url": product.url, "max_uses": 2}})
    return Customers(site, {**followed, **WALKS, "returning": returning})


@pytest.fixture
def somebody(chromium: Any, site: Site, request: pytest.FixtureRequest) -> Iterator[Somebody]:
    """Makes people, each with a browser of their own; nothing that they met may have been in their way."""
    people: list[Outsider] = []

    def make(name: str, screen: str = "phone", **options: Any) -> Outsider:
        people.append(Outsider(chromium, name, site, screen, **options))
        return people[-1]

    yield make
    for person in people:
        if getattr(request.node, "failed", False):
            person.picture(f"failed-{person.name}")
        person.context.close()
    assert [barrier for person in people for barrier in person.barriers] == []
    assert [text for person in people for text in person.complaints_of_policy()] == []


@pytest.mark.parametrize("name", CASES)
def test_whoever_comes_back_reads_what_became_of_it(name: str, somebody: Somebody, customers: Customers) -> None:
    case, customer = CASES[name], customers[name]
    case.arrange(customer, customers)
    person = somebody("owner", ["phone", "desk"][list(CASES).index(name) % 2], script=case.script)

    person.consent(customer.tokens["link"], case.who, case.answer)

    said = person.read(name)
    assert person.heading == case.heading
    assert case.sentence in said
    assert customer.attempts() == [(*case.stored, None)]
    assert len(customer.connections()) == (case.stored[0] == "connected")


@pytest.mark.parametrize("name", STOPS)
def test_whoever_is_kept_by_microsoft_is_told_what_it_said(name: str, somebody: Somebody, customers: Customers) -> None:
    stop, customer = STOPS[name], customers[name]
    stop.arrange(customer, customers)
    person = somebody("owner", ["phone", "desk"][list(STOPS).index(name) % 2])
    person.open(customer.tokens["link"])
    person.press("Continue with Microsoft")
    if stop.who:
        person.choose(stop.who)
    message = person.page.inner_text("main")
    assert f"AADSTS{stop.number}" in message

    person.go_back()
    person.ask_what_it_means(message)

    said = person.read(name)
    assert person.heading == stop.heading
    assert stop.sentence in said
    assert customer.attempts() == [("", "", stop.number)]


def test_what_was_left_out_can_be_granted_afterwards(somebody: Somebody, customers: Customers) -> None:
    customer, ana = customers["with less"], somebody("ana")
    customer.fault("partial", grant_type="authorization_code", remove=["Mail.Send"], times=1)

    ana.consent(customer.tokens["link"], "Ana Costa")

    assert "Send mail as you" in ana.read("with less")
    assert ana.heading == "Connected, with less than was asked"
    assert customer.attempts() == [("connected_with_less", "", None)]

    ana.press("Grant the rest")
    assert "What is still missing" in ana.read("the rest")
    ana.press("Continue with Microsoft")
    ana.choose("Ana Costa")
    ana.come_back()

    ana.read("with the rest")
    assert ana.heading == "Your mailbox is connected"
    assert customer.connections() == [("ana@alder.example", "active")]


def test_an_administrator_is_asked_and_approves(somebody: Somebody, customers: Customers) -> None:
    customer, bea, ivo = customers["asked"], somebody("bea", script=False), somebody("ivo", "desk")

    bea.consent(customer.tokens["link"], "Bea Moreau", "Return to the application")
    assert "Most likely it said “Need admin approval”" in bea.read("approval needed")
    assert bea.heading == "An administrator must probably approve first"
    bea.press("Ask my IT administrator")
    assert "Application (client) ID" in bea.page.input_value("#words")
    bea.read("asks the administrator")

    ivo.page.goto(bea.page.input_value("#address"))
    assert "Which permissions it asks for" in ivo.read("is asked to approve")
    ivo.approve("Ivo Brandt")
    assert "Thank you, that is all." in ivo.read("has approved")
    assert ivo.heading == "Approved for your organization"
    assert customer.grants() == ["reported"]

    bea.open(customer.tokens["link"])
    assert "We were told that an administrator of your organization has approved this." in bea.read("approved by now")
    bea.press("Continue with Microsoft")
    bea.choose("Bea Moreau")
    bea.come_back()
    bea.read("connected after the approval")
    assert bea.heading == "Your mailbox is connected"
    assert customer.grants() == ["seen"]
    assert customer.attempts() == [("cancelled", "cancelled", None), ("approved", "", None), ("connected", "", None)]


def test_an_approval_is_requested_at_microsoft(somebody: Somebody, customers: Customers, site: Site) -> None:
    customer, cem, ida = customers["requested"], somebody("cem"), somebody("ida", "desk")
    cem.open(customer.tokens["link"])
    cem.press("Continue with Microsoft")
    cem.choose("Cem Yilmaz")
    cem.page.fill("textarea", "I need my mail there.")
    cem.press("Request approval")
    cem.come_back("Return to the application")
    cem.read("approval requested")
    assert cem.heading == "An administrator must probably approve first"

    ida.page.goto(f"{site.pages}/control/grants/")
    ida.press("Approve for everybody")
    ida.page.wait_for_selector(".tag.good")

    cem.press("Try again")
    cem.press("Continue with Microsoft")
    cem.choose("Cem Yilmaz")
    cem.come_back()
    cem.read("connected after the request")
    assert cem.heading == "Your mailbox is connected"
    assert customer.attempts() == [("cancelled", "cancelled", None), ("connected", "", None)]
    assert customer.grants() == []


def test_an_administrator_approves_and_connects(somebody: Somebody, customers: Customers) -> None:
    customer, ivo = customers["for everybody"], somebody("ivo", "desk")
    customers.microsoft.may_read_grants(customer.client_id, customer.directory)
    ivo.open(customer.tokens["link"])

    ivo.approve("Ivo Brandt")

    assert "Microsoft’s directory confirms it." in ivo.read("approved and confirmed")
    assert customer.grants() == ["verified"]
    ivo.press("Connect the mailbox")
    ivo.press("Continue with Microsoft")
    ivo.choose("Ivo Brandt")
    ivo.come_back()
    ivo.read("connected by the administrator")
    assert ivo.heading == "Your mailbox is connected"
    assert customer.connections() == [("ivo@birch.example", "active")]


def test_an_approval_is_declined_or_not_theirs_to_give(somebody: Somebody, customers: Customers) -> None:
    customer, bea = customers["not approved"], somebody("bea")
    bea.open(customer.tokens["link"])
    bea.approve("Ivo Brandt", "Cancel")
    assert "Nothing was changed for your organization" in bea.read("not approved")
    assert bea.heading == "You did not approve"

    bea.press("Try again")
    bea.approve("Bea Moreau", "Return to the application")
    assert "the account you used may not approve" in bea.read("may not approve")
    assert bea.heading == "You came back without approving"
    assert customer.attempts() == [("declined", "user_declined", None), ("cancelled", "cancelled", None)]
    assert customer.grants() == []


def test_only_the_same_person_reconnects(somebody: Somebody, customers: Customers) -> None:
    customer, person = customers["reconnected"], somebody("person")
    person.open(customer.tokens["link"])
    assert "ana@alder.example" in person.read("asked to reconnect")
    person.press("Continue with Microsoft")
    person.choose("Ben Dahl")
    person.come_back("Accept")
    person.read("reconnected by another")
    assert person.heading == "This is another account than the one expected"
    assert customer.connections() == [("ana@alder.example", "dead")]

    person.press("Try again")
    person.press("Continue with Microsoft")
    person.choose("Ana Costa")
    person.come_back("Accept")
    person.read("reconnected")
    assert person.heading == "Your mailbox is connected"
    assert customer.connections() == [("ana@alder.example", "active")]


def test_a_federated_directory_signs_its_people_in_elsewhere(somebody: Somebody, customers: Customers) -> None:
    customer, dan = customers["federated"], somebody("dan")
    dan.open(customer.tokens["link"])

    dan.press("Continue with Microsoft")  # and on, at once, to the directory's own server

    assert dan.page.url.startswith(f"{customers.token_origin}/federated/")
    dan.choose("Dan Okafor")
    dan.come_back("Accept")
    dan.read("federated")
    assert dan.heading == "Your mailbox is connected"
    assert customer.connections() == [("dan@dogwood.example", "active")]


def test_a_copied_address_leads_an_administrator_to_the_approval(somebody: Somebody, customers: Customers) -> None:
    customer, ana, ira = customers["copied"], somebody("ana"), somebody("ira", "desk")
    ana.open(customer.tokens["link"])

    ira.page.goto(ana.page.url)
    assert "Alder" not in ira.read("copied address")
    assert ira.heading == "Open the link you were sent"
    ira.press("Show what I am to approve")
    assert "Which permissions it asks for" in ira.read("approval from a copied address")
    ira.approve("Ira Novak")

    ira.read("approved from a copied address")
    assert ira.heading == "Approved for your organization"
    assert customer.grants() == ["reported"]


@pytest.mark.parametrize("ended", ["used", "revoked", "expired"])
def test_a_link_that_has_ended_tells_nothing(ended: str, somebody: Somebody, customers: Customers) -> None:
    reader = somebody("reader")

    reader.open(customers["ended"].tokens[ended])

    assert "Alder" not in reader.read(f"link {ended}")
    assert reader.heading == "This link does not work"


def test_the_mailbox_is_disconnected_by_the_link_in_its_notice(
    somebody: Somebody, customers: Customers, site: Site
) -> None:
    customer, dora, later = customers["disconnected"], somebody("dora"), somebody("later", "desk")
    dora.consent(customer.tokens["link"], "Dora Lind")
    dora.page.wait_for_selector("h1")

    later.open(notice_for(site.folder / "mail", "dora@alder.example"))
    assert "What disconnecting does" in later.read("about to disconnect")
    later.press("Disconnect this mailbox")

    assert "was destroyed just now" in later.read("disconnected")
    assert later.heading == "Your mailbox is disconnected"
    assert customer.kept_tokens() == 0


def test_the_product_hears_how_it_ended_and_nothing_else(
    somebody: Somebody, customers: Customers, product: Returns
) -> None:
    customer, ana = customers["returning"], somebody("ana")
    ana.consent(customer.tokens["link"], "Ana Costa", "Cancel")
    ana.read("declined and going back")
    ana.page.click("a:has-text('Go back to 127.0.0.1')")
    ana.page.wait_for_selector("text=Back in the product")

    ana.consent(customer.tokens["link"], "Ana Costa")
    ana.picture("outcome-connected-and-going-back")
    assert "You are taken back to 127.0.0.1" in ana.page.inner_text("main")
    ana.page.wait_for_selector("text=Back in the product")

    (declined, _), (connected, headers) = product.requests
    assert query_of(declined) == {"status": ["declined"]}
    assert query_of(connected) == {"status": ["connected"], "connection": [customer.connection_id()]}
    assert "referer" not in headers


def test_an_address_of_microsofts_that_somebody_else_was_given_connects_nothing(
    somebody: Somebody, customers: Customers
) -> None:
    customer, attacker, victim = customers["half done"], somebody("attacker", "desk"), somebody("victim")
    attacker.open(customer.tokens["link"])
    attacker.press("Continue with Microsoft")

    victim.page.goto(attacker.page.url)
    victim.choose("Ana Costa")
    victim.press("Accept")
    victim.page.wait_for_url(re.compile("/oauth/callback/"))

    assert "they may have wanted your mailbox for themselves" in victim.read("begun by somebody else")
    assert victim.heading == "This sign-in cannot go on here"
    assert customer.attempts() == [("", "", None)]
    assert customer.connections() == []


def test_a_consent_that_is_still_spreading_is_waited_for(somebody: Somebody, customers: Customers) -> None:
    customer, eli = customers["spreading"], somebody("eli", script=False)
    customers.microsoft.set_spread(5)
    try:
        eli.consent(customer.tokens["link"], "Eli Berger")
        eli.picture("outcome-still-spreading")
        assert eli.heading == "Almost there"
        assert customer.attempts() == [("", "", None)]

        eli.read("spread by now")  # the page looked again by itself
    finally:
        customers.microsoft.set_spread(0)
    assert eli.heading == "Your mailbox is connected"
    assert customer.attempts() == [("connected", "", None)]


def test_where_microsoft_does_not_answer_nobody_is_sent_there(somebody: Somebody, customers: Customers) -> None:
    customer, finn = customers["down before"], somebody("finn")
    customers.microsoft.set_fault("down", directory=customer.directory, grant_type="discovery")
    finn.open(customer.tokens["link"])

    finn.press("Continue with Microsoft")

    assert "you were not sent there" in finn.read("microsoft down before")
    assert finn.heading == "Microsoft does not answer"
    assert customer.attempts() == []


def test_an_expired_secret_is_a_finding_at_once(somebody: Somebody, customers: Customers) -> None:
    customer, ana = customers["secret expired"], somebody("ana", "desk")
    customers.microsoft.expire_secret(customer.client_id, customer.secret_id)

    ana.consent(customer.tokens["link"], "Ana Costa")

    assert "The people who look after this have been told." in ana.read("secret expired")
    assert ana.heading == "The app’s key has expired"
    assert customer.attempts() == [("refused", "secret_expired", None)]
    assert [finding.endswith("has ended: Microsoft refuses it.") for finding in customer.findings()] == [True]
