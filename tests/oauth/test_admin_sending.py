"""Links are sent by mail: to one tenant or many, to whom one may, with words that a person can change."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from oauth import mails
from oauth.models import Link, Mail
from oauth.models.link import digest
from staff.models import User
from tenants.admin.sending import sending_page
from tenants.models import AppRegistration, Event, Tenant
from tests.factories import (
    make_connection,
    make_credential,
    make_operator,
    make_registration,
    make_superuser,
    make_tenant,
)

pytestmark = pytest.mark.django_db

TEXT = "Hello {tenant},\r\n\r\nplease open\r\n  {link}\r\nuntil {ends}."
TENANTS = reverse("admin:tenants_tenant_changelist")


def make_ready(name: str, **fields: Any) -> Tenant:
    """A tenant to whom a link can be sent."""
    tenant = make_tenant(name, **{"contact_emails": [f"it@{name.lower()}.example"], **fields})
    make_credential(make_registration(tenant, name=f"{name} Mail"))
    return tenant


@pytest.fixture
def tenants(client) -> list[Tenant]:
    tenants = [make_ready("Alder"), make_ready("Brook"), make_ready("Cedar")]
    client.force_login(make_operator(tenants=tuple(tenants)))
    return tenants


def filled(page: Any, **fields: Any) -> dict[str, Any]:
    """The page's forms as a browser would send them back, with these changes."""
    key = page.context["key"].value()
    data: dict[str, Any] = {"key": key, "subject": "For {tenant}", "text": TEXT, "days": 14, "max_uses": 1}
    for group, _form in page.context["groups"]:
        only = [row.pk for row in group.registrations]
        data[f"{group.key}-registration"] = only[0] if len(only) == 1 else ""
        data[f"{group.key}-addresses"] = "\r\n".join(group.addresses)
    return data | fields


def send(client: Any, address: str, **fields: Any) -> Any:
    return client.post(address, filled(client.get(address), **fields), follow=True)


def page_for(*tenants: Tenant) -> str:
    return sending_page("tenant", [tenant.pk for tenant in tenants])


def words_of(response: Any) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def act(client: Any, name: str, rows: list[Any]) -> Any:
    chosen = {"action": "send_link", "_selected_action": [row.pk for row in rows]}
    return client.post(reverse(f"admin:{name}_changelist"), chosen)


# The way there


def test_one_action_leads_to_the_page_for_many_tenants(client, tenants) -> None:
    response = act(client, "tenants_tenant", tenants)
    assert response.status_code == 302
    page = client.get(response.headers["Location"])
    assert {group.tenant for group, _ in page.context["groups"]} == set(tenants)
    for words in ("Alder", "it@brook.example", "Cedar Mail", "please connect your mailbox", "{link}"):
        assert words in page.content.decode()


def test_the_most_rows_at_once_fit_into_an_address(client, tenants) -> None:
    registration = tenants[0].registrations.get()
    connections = [make_connection(registration) for _ in range(100)]
    address = act(client, "oauth_connection", connections).headers["Location"]
    assert len(address) < 4000  # gunicorn reads 4094
    assert len(client.get(address).context["groups"]) == 100


def test_more_rows_are_refused(client, tenants) -> None:
    registration = tenants[0].registrations.get()
    connections = [make_connection(registration) for _ in range(101)]
    response = act(client, "oauth_connection", connections)
    assert "at most 100" in client.get(response.headers["Location"]).content.decode()
    assert "send" not in response.headers["Location"]
    address = sending_page("connection", [row.pk for row in connections])
    assert client.get(address).status_code == 302


@pytest.mark.parametrize("query", ["", "?tenant=", "?tenant=x.%00", "?connection=1.2", "?tenant=" + "9" * 30, "?x=1"])
def test_without_rows_it_goes_back_to_the_list(client, tenants, query) -> None:
    assert client.get(reverse("admin:oauth_link_send") + query).status_code == 302


def test_buttons_lead_there_from_each_page(client, tenants) -> None:
    registration = tenants[0].registrations.get()
    connection = make_connection(registration)
    for name, row in (("tenants_tenant", tenants[0]), ("tenants_appregistration", registration)):
        assert "Send consent link" in client.get(reverse(f"admin:{name}_change", args=[row.pk])).content.decode()
    page = client.get(reverse("admin:oauth_connection_change", args=[connection.pk])).content.decode()
    assert "Send reconnect link" in page
    button = reverse("admin:tenants_appregistration_act", args=[registration.pk, "send_link"])
    page = client.get(client.post(button).headers["Location"])
    assert [group.registrations for group, _ in page.context["groups"]] == [[registration]]


# Sending


def test_every_address_gets_a_link_of_its_own(client, tenants, django_capture_on_commit_callbacks) -> None:
    address = page_for(*tenants)
    with django_capture_on_commit_callbacks() as bells:
        response = send(
            client, address, **{f"t{tenants[0].pk}-addresses": "ana@alder.example, ben@alder.example"}, days=7
        )
    links = list(Link.objects.order_by("pk"))
    assert [link.sent_to for link in links] == [
        "ana@alder.example", "ben@alder.example", "it@brook.example", "it@cedar.example",
    ]  # fmt: skip
    assert {link.created_by for link in links} == {response.context["user"]}
    assert {(link.purpose, link.max_uses) for link in links} == {("consent", 1)}
    assert all(timedelta(days=6) < link.expires_at - timezone.now() <= timedelta(days=7) for link in links)
    assert len(bells) == 1
    assert "4 links are on their way." in words_of(response)
    assert Event.objects.filter(verb="sent").count() == 4


def test_a_mail_is_filled_in_for_its_tenant_and_its_link_is_not(client, tenants) -> None:
    send(client, page_for(tenants[0]))
    mail, link = Mail.objects.get(), Link.objects.get()
    assert (mail.subject, mail.address, mail.link) == ("For Alder", "it@alder.example", link)
    assert mail.text == "Hello Alder,\n\nplease open\n\n{link}\n\nuntil {ends}."


def test_the_message_leads_to_the_links_that_were_sent(client, tenants) -> None:
    Link.objects.mint(tenant=tenants[0], registration=tenants[0].registrations.get(), created_by=None)
    response = send(client, page_for(*tenants))
    (address,) = re.findall(r'<a href="([^"]*)">See them</a>', response.content.decode())
    listed = client.get(unescape(address)).context["cl"].result_list
    assert {link.sent_to for link in listed} == {"it@alder.example", "it@brook.example", "it@cedar.example"}


def test_whoever_s_box_is_empty_gets_none(client, tenants) -> None:
    send(client, page_for(*tenants), **{f"t{tenants[1].pk}-addresses": ""})
    assert not Link.objects.filter(tenant=tenants[1]).exists()
    assert Link.objects.count() == 2


def test_an_address_written_twice_gets_one_link(client, tenants) -> None:
    send(client, page_for(tenants[0]), **{f"t{tenants[0].pk}-addresses": "ana@alder.example\nAna@Alder.example"})
    assert Link.objects.count() == 1


def test_a_reconnect_link_is_for_its_connection(client, tenants) -> None:
    registration = tenants[0].registrations.get()
    dead = [make_connection(registration, token_status="dead", address=f"{name}@alder.example") for name in "ab"]
    response = act(client, "oauth_connection", dead)
    page = client.get(response.headers["Location"])
    assert "please reconnect your mailbox" in page.content.decode()
    assert 'name="max_uses"' not in page.content.decode()
    send(client, response.headers["Location"])
    found = Link.objects.values_list("purpose", "connection", "sent_to", "max_uses").order_by("sent_to")
    assert list(found) == [("reconnect", row.pk, row.address, 1) for row in dead]


# Which registration


def test_of_several_registrations_one_is_chosen(client, tenants) -> None:
    second = make_registration(tenants[0], name="Second")
    make_credential(second)
    address, field = page_for(tenants[0]), f"t{tenants[0].pk}-registration"
    response = send(client, address)
    assert "Choose the registration these people shall consent to." in words_of(response)
    assert not Link.objects.exists()
    send(client, address, **{field: second.pk})
    assert Link.objects.get().registration == second


def test_a_shared_registration_is_offered_to_those_who_see_it(client, tenants) -> None:
    shared = make_registration(shared=True, name="For all")
    make_credential(shared)
    assert "For all" not in client.get(page_for(tenants[0])).content.decode()
    field = f"t{tenants[0].pk}-registration"
    assert "Select a valid choice" in words_of(send(client, page_for(tenants[0]), **{field: shared.pk}))
    client.force_login(make_superuser())
    assert "For all (shared)" in client.get(page_for(tenants[0])).content.decode()
    send(client, page_for(tenants[0]), **{field: shared.pk})
    assert (Link.objects.get().registration, Link.objects.get().tenant) == (shared, tenants[0])


def test_a_shared_registration_s_links_are_sent_from_the_tenants_list(client) -> None:
    shared = make_registration(shared=True)
    make_credential(shared)
    client.force_login(make_superuser())
    address = act(client, "tenants_appregistration", [shared]).headers["Location"]
    assert "Many tenants share it." in words_of(client.get(address))


# Who stays out


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"contact_emails": []}, "no contact addresses"),
        ({"suspended_at": timezone.now()}, "It is suspended. Resume it first."),
        ({"archived_at": timezone.now()}, "It is archived."),
    ],
)
def test_a_tenant_that_cannot_get_one_is_listed_with_the_reason(client, tenants, change, reason) -> None:
    Tenant.objects.filter(pk=tenants[0].pk).update(**change)
    page = client.get(page_for(*tenants))
    assert f"Alder : {reason}" in words_of(page) or reason in words_of(page)
    assert [left.name for left, _ in page.context["groups"]] == ["Brook", "Cedar"]
    send(client, page_for(*tenants), **{f"t{tenants[0].pk}-addresses": "ana@alder.example"})
    assert not Link.objects.filter(tenant=tenants[0]).exists()


@pytest.mark.parametrize("lacks", ["secret", "scopes", "live secret"])
def test_without_a_ready_registration_a_tenant_stays_out(client, tenants, lacks) -> None:
    registration = tenants[0].registrations.get()
    if lacks == "scopes":
        registration.scope_selections.all().delete()
    else:
        registration.credentials.all().delete()
    if lacks == "live secret":
        make_credential(registration, days_left=-1)
    page = client.get(page_for(tenants[0]))
    assert "It has no registration that is ready" in words_of(page)
    assert "There is nobody to send a link to." in words_of(page)


def test_what_was_disconnected_on_purpose_is_not_asked_again(client, tenants) -> None:
    connection = make_connection(tenants[0].registrations.get(), disconnected_at=timezone.now())
    assert "disconnected on purpose" in words_of(client.get(sending_page("connection", [connection.pk])))


def test_what_cannot_be_sent_is_found_out_when_it_is_sent(client, tenants) -> None:
    address = page_for(tenants[0])
    data = filled(client.get(address))
    Tenant.objects.update(suspended_at=timezone.now())
    client.post(address, data)
    assert not Link.objects.exists()


# What is written


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"text": "Hello"}, "text", "must hold {link} once, on a line of its own"),
        ({"text": "{link}\n{link}"}, "text", "must hold {link} once"),
        ({"text": "Open {link} now"}, "text", "on a line of its own"),
        ({"text": "{link}\n{name} {name} {Tenant}"}, "text", "fill in for {name}, {Tenant}. There are {ends}, {link},"),
        ({"subject": "{who}"}, "subject", "fill in for {who}."),
        ({"subject": "Open {link}"}, "subject", "{link} belongs in the text only"),
        ({"subject": ""}, "subject", "This field is required"),
        ({"days": 1000}, "days", "Select a valid choice"),
        ({"max_uses": 0}, "max_uses", "for one consent at least"),
    ],
)
def test_what_is_wrong_with_the_words_is_said(client, tenants, fields, field, words) -> None:
    response = send(client, page_for(tenants[0]), **fields)
    errors = next(iter(response.context["invitation"])).form.errors
    assert words in errors[field][0]
    assert not Link.objects.exists()


def test_a_wrong_address_is_named_and_nobody_gets_anything(client, tenants) -> None:
    response = send(client, page_for(*tenants), **{f"t{tenants[2].pk}-addresses": "ana@cedar.example\nben"})
    assert "“ben” is not an email address." in words_of(response)
    assert not Link.objects.exists()
    assert "ana@cedar.example" in response.content.decode(), "what was typed stays"


def test_nobody_to_send_to_is_said(client, tenants) -> None:
    response = send(client, page_for(tenants[0]), **{f"t{tenants[0].pk}-addresses": " "})
    assert "Nobody would be sent a link" in words_of(response)


def test_at_most_500_addresses_at_once(client, tenants) -> None:
    many = "\n".join(f"person{number}@alder.example" for number in range(500))
    response = send(client, page_for(*tenants), **{f"t{tenants[0].pk}-addresses": many})
    assert "These are 502 addresses; send to 500 at most at once." in words_of(response)
    assert not Link.objects.exists()


# Who may


def test_another_tenant_s_rows_are_not_there(client, tenants) -> None:
    foreign = make_ready("Foreign")
    registration = foreign.registrations.get()
    connection = make_connection(registration)
    for kind, row in (("tenant", foreign), ("appregistration", registration), ("connection", connection)):
        page = client.get(sending_page(kind, [row.pk]))
        assert "oreign" not in page.content.decode()
        client.post(sending_page(kind, [row.pk]), {"subject": "x", "text": "{link}", "days": 1, "max_uses": 1})
    assert not Link.objects.exists()


def test_another_tenant_s_registration_is_no_choice(client, tenants) -> None:
    foreign = make_ready("Foreign").registrations.get()
    response = send(client, page_for(tenants[0]), **{f"t{tenants[0].pk}-registration": foreign.pk})
    assert "Select a valid choice" in words_of(response)
    assert not Link.objects.exists()


@pytest.fixture
def onlooker(client, tenants) -> User:
    operator = make_operator(tenants=tuple(tenants))
    group = operator.groups.get()
    group.permissions.remove(group.permissions.get(codename="add_link"))
    client.force_login(operator)
    return operator


def test_who_may_not_make_links_sends_none(client, tenants, onlooker) -> None:
    assert client.get(page_for(*tenants)).status_code == 403
    assert client.post(page_for(*tenants), {}).status_code == 403
    page = client.get(reverse("admin:tenants_tenant_change", args=[tenants[0].pk])).content.decode()
    assert "Send consent link" not in page


def test_the_page_asks_the_database_as_little_for_many_as_for_few(client, django_assert_max_num_queries) -> None:
    tenants = [make_ready(f"Company{number}") for number in range(30)]
    client.force_login(make_operator(tenants=tuple(tenants)))
    with django_assert_max_num_queries(12):
        assert len(client.get(page_for(*tenants)).context["groups"]) == 30


def test_no_token_that_opens_a_link_is_made_here(client, tenants) -> None:
    response = send(client, page_for(tenants[0]))
    stored = Link.objects.get().token_digest
    seen = re.findall(r"[A-Za-z0-9_-]{43}", response.content.decode() + str(list(Mail.objects.values())))
    assert stored not in {digest(token) for token in seen}
    assert "/c/" not in Mail.objects.get().text


# To set up


def set_up_page(client: Any, tenant: Tenant, kind: str) -> tuple[str, AppRegistration]:
    """Where the Setup page leads for a registration that Entra does not know yet."""
    draft = make_registration(tenant, name="Alder New", client_id="", directory="")
    shown = client.get(reverse("admin:tenants_appregistration_setup", args=[draft.pk])).content.decode()
    address = sending_page(kind, [draft.pk])
    assert f'href="{address}"' in shown
    return address, draft


@pytest.mark.parametrize(
    ("kind", "words"), [("setup", "register an app in your"), ("secret", "nobody at Example gets to see it")]
)
def test_links_to_set_up_are_mailed_too(client, tenants, settings, mailoutbox, kind, words) -> None:
    settings.ORGANIZATION_NAME = "Example"
    address, draft = set_up_page(client, tenants[0], kind)
    page = client.get(address)
    assert "only_theirs" not in page.content.decode()
    subject, text = page.context["invitation"].form.initial["subject"], page.context["invitation"].form.initial["text"]
    assert "1 link is on its way." in words_of(send(client, address, subject=subject, text=text))
    link = Link.objects.get()
    assert (link.purpose, link.registration, link.sent_to) == (kind, draft, "it@alder.example")
    mails.send_due()
    (mail,) = mailoutbox
    assert words in f"{mail.subject} {mail.body}"
    (token,) = re.findall(r"/c/([^/\s]+)/", mail.body)
    assert Link.objects.for_token(token) == link
    assert "it@alder.example" in client.get(reverse("admin:oauth_link_change", args=[link.pk])).content.decode()


def test_who_may_not_change_the_registration_mails_no_secret_drop(client, tenants) -> None:
    address, draft = set_up_page(client, tenants[0], "secret")
    page = client.get(address)
    group = page.context["user"].groups.get()
    group.permissions.remove(group.permissions.get(codename="change_appregistration"))
    assert client.get(address).status_code == 403
    assert client.post(address, filled(page)).status_code == 403
    assert client.get(sending_page("setup", [draft.pk])).status_code == 200
    assert not Link.objects.exists()


@pytest.mark.parametrize("kind", ["setup", "secret"])
def test_who_can_be_sent_no_link_to_set_up_is_named_with_the_reason(client, tenants, kind) -> None:
    client.force_login(make_superuser())
    shared = make_registration(shared=True, name="Of everybody")
    over = make_registration(tenants[0], archived_at=timezone.now())
    silent = make_registration(make_tenant("Silent"), name="Silent Mail")
    words = words_of(client.get(sending_page(kind, [shared.pk, over.pk, silent.pk])))
    for reason in ("for you to set up", "It is archived", "no contact addresses"):
        assert reason in words
