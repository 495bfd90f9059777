"""A link's page tells how far people came; links are pinned, renewed and made to reconnect one account."""

import re
import uuid
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from oauth import consent, pins
from oauth.id_token import PERSONAL, WRONG
from oauth.models import Connection, Link, Mail
from staff.models import User
from tenants.admin.reasons import reason_of
from tenants.models import AppRegistration, Event, RedirectURI, Tenant
from tests.canary import find
from tests.factories import make_connection, make_credential, make_link, make_operator, make_registration, make_tenant
from tests.world import make_approval, make_attempt, make_mail

pytestmark = pytest.mark.django_db

ADD = reverse("admin:oauth_link_add")
LIST = reverse("admin:oauth_link_changelist")
APP = "https://app.example.com/done"
LONG_AGO = timedelta(minutes=31)


@pytest.fixture
def operator(client) -> User:
    operator = make_operator(tenants=(make_tenant("Contoso", slug="contoso"),))
    client.force_login(operator)
    return operator


@pytest.fixture
def registration(operator) -> AppRegistration:
    return ready()


def ready(**fields: Any) -> AppRegistration:
    """A registration of Contoso through which people can consent."""
    registration = make_registration(Tenant.objects.get(slug="contoso"), **{"name": "Contoso Mail", **fields})
    make_credential(registration)
    return registration


def page_of(row: Any) -> str:
    return reverse(f"admin:oauth_{row._meta.model_name}_change", args=[row.pk])


def shown(client: Any, row: Any) -> str:
    """The page's words, without its markup."""
    page = re.sub(r"<script.*?</script>|<[^>]+>", " ", client.get(page_of(row)).content.decode(), flags=re.DOTALL)
    return " ".join(unescape(page).split())


def renew(client: Any, link: Link, **fields: Any) -> Any:
    return client.post(reverse("admin:oauth_link_renew", args=[link.pk]), {"days": 14, **fields})


def token_in(response: Any) -> str:
    (token,) = re.findall(r"http://testserver/c/([^/<]+)/", response.content.decode())
    return str(token)


def panel(response: Any, title: str) -> Any:
    page = response.context["page"]
    return next(panel for panel in [*page.above, *page.panels] if panel.title.startswith(title))


def funnel(client: Any, address: str) -> dict[str, Any]:
    """How often each step was reached, by its name; of several rows of one name the sum."""
    steps: dict[str, Any] = {}
    for step, number, _ in panel(client.get(address), "Funnel").rows:
        steps[step] = steps.get(step, 0) + int(number)
    return steps


# The list


def test_the_list_tells_all_about_each_link(client, registration, operator) -> None:
    link, _ = make_link(registration, sent_to="ana@contoso.example", max_uses=3, uses=1, opens=4)
    Link.objects.update(created_by=operator)
    make_attempt(link)
    make_attempt(link)
    page = " ".join(re.sub(r"<[^>]+>", " ", client.get(LIST).content.decode()).split())
    row = page[page.index(f"Link {link.pk}") :]
    for words in (f"by {operator}", "consent", "ana@contoso.example", "Contoso", "Contoso Mail", "open", "4", "1 of 3"):
        assert words in row
    assert client.get(LIST).context["cl"].result_list[0].try_count == 2


def test_links_to_disconnect_are_listed_when_asked_for(client, registration) -> None:
    consent, _ = make_link(registration)
    connection = make_connection(registration)
    disconnect, _ = make_link(registration, purpose="disconnect", connection=connection)
    assert list(client.get(LIST).context["cl"].result_list) == [consent]
    assert list(client.get(LIST, {"purpose": "disconnect"}).context["cl"].result_list) == [disconnect]
    assert set(client.get(LIST, {"purpose": "all"}).context["cl"].result_list) == {consent, disconnect}


# The page


def test_the_page_says_whom_the_link_is_for_and_where_it_leads(client, registration) -> None:
    RedirectURI.objects.create(registration=registration, uri=APP)
    parent, _ = make_link(registration, expected_address="ana@contoso.example", return_url=APP)
    child, _ = make_link(registration, purpose="approval", parent=parent, expected_directory="contoso.example")
    page = client.get(page_of(parent)).content.decode()
    for words in ("ana@contoso.example", APP, f'href="{page_of(child)}"', "Links that grew from it"):
        assert words in page
    assert f'href="{page_of(parent)}"' in client.get(page_of(child)).content.decode()
    RedirectURI.objects.all().delete()
    assert "nobody is sent there" in shown(client, parent)


def test_a_failure_says_who_must_act_and_how(client, registration) -> None:
    link, _ = make_link(registration)
    make_attempt(link, outcome="refused", fault_kind="user_not_assigned", codes=[50105], way="approval")
    page = shown(client, link)
    assert "approval for the organization" in page
    assert "this account is not one of them" in page
    assert "You: Ask the tenant's administrator to assign the account" in page
    assert "It is then up to: the tenant's Microsoft 365 administrator." in page


def test_a_failure_of_our_own_making_has_its_words_too(client, registration) -> None:
    link, _ = make_link(registration)
    make_attempt(link, outcome="rejected", fault_kind="no_mailbox")
    page = shown(client, link)
    assert "The account has no mailbox at Microsoft 365." in page
    assert "Ask the tenant's administrator for an Exchange Online licence" in page


def test_whatever_an_answer_is_rejected_for_has_words_for_the_operator() -> None:
    source = "".join(path.read_text() for path in Path(consent.__file__).parent.glob("*.py"))
    kinds = {
        *re.findall(r'AnswerRejected\(\s*"(\w+)"', source),
        *pins.MISMATCHES,
        pins.GUEST,
        *WRONG,
        consent.NOT_SPREAD,
    }
    assert len(kinds) > 20
    kinds |= {consent.UNREADABLE_FLOW, "unreachable"}
    assert [kind for kind in kinds if "Look the trace ID up" in str(reason_of(kind))] == []


@pytest.mark.parametrize(
    ("kind", "words"), [("throttled", "asked too often"), ("service_unavailable", "Microsoft's service had a fault")]
)
def test_a_microsoft_that_was_busy_is_told_from_one_that_was_silent(client, registration, kind, words) -> None:
    link, _ = make_link(registration)
    make_attempt(link, outcome="unreachable", fault_kind=kind)
    page = shown(client, link)
    assert words in page
    assert "You: Ask the person to open the link again in some minutes." in page
    assert "did not answer" not in page


def test_no_answer_names_its_likely_causes(client, registration) -> None:
    link, _ = make_link(registration)
    make_attempt(link, created_at=timezone.now() - LONG_AGO)
    page = shown(client, link)
    for words in ("AADSTS50011: The redirect URI is not registered", "AADSTS700016", "AADSTS50105", "page was closed"):
        assert words in page


def test_no_answer_says_what_the_person_was_told(client, registration) -> None:
    link, _ = make_link(registration)
    make_attempt(link, created_at=timezone.now() - LONG_AGO, told_code=50011)
    page = shown(client, link)
    assert "The person says Microsoft showed AADSTS50011. The redirect URI is not registered" in page
    assert "Add the redirect URI shown on this registration's page" in page
    assert "Likely causes" not in page


def test_the_mails_of_a_link_stand_on_its_page(client, registration) -> None:
    link, _ = make_link(registration)
    mail = make_mail(link, tries=[{"at": "2026-01-02T03:04:05+00:00", "problem": "SMTPRecipientsRefused 550"}])
    page = client.get(page_of(link)).content.decode()
    assert "SMTPRecipientsRefused 550" in page
    assert page_of(mail) in page


# The funnel


def test_a_funnel_has_one_row_for_all_that_failed_with_how_often_for_which_reason(client, registration) -> None:
    link = make_all_outcomes(registration)
    (row,) = [row for row in panel(client.get(page_of(link)), "Funnel").rows if row[0] == "Failed"]
    assert row[1] == 3
    assert re.findall(r"(\d) × ([^.<]+)", str(row[2])) == [
        ("2", "Microsoft does not know this client secret"),
        ("1", "Another account came back than the one the link is for"),
    ]


def test_a_funnel_without_failures_explains_what_the_row_means(client, registration) -> None:
    link, _ = make_link(registration)
    (row,) = [row for row in panel(client.get(page_of(link)), "Funnel").rows if row[0] == "Failed"]
    assert row[1:] == [0, "Microsoft or Tenantry refused, or Microsoft was not reached."]


@pytest.mark.parametrize(("opens", "words"), [(0, "0 times"), (1, "once"), (2, "2 times")])
def test_a_registration_s_page_says_how_often_its_links_were_opened(client, registration, opens, words) -> None:
    make_link(registration, opens=opens)
    response = client.get(reverse("admin:tenants_appregistration_change", args=[registration.pk]))
    assert panel(response, "Links").rows[0][3] == words
    assert f"opened {words} together." in panel(response, "Funnel").rows[0][2]


def make_all_outcomes(registration: AppRegistration) -> Link:
    link, _ = make_link(registration, opens=7)
    for outcome in ("connected", "connected_with_less", "approved", "declined", "cancelled"):
        make_attempt(link, outcome=outcome)
    for kind in ("secret_invalid", "secret_invalid", "wrong_account"):
        make_attempt(link, outcome="rejected", fault_kind=kind)
    make_attempt(link, created_at=timezone.now() - LONG_AGO)
    make_attempt(link)
    return link


ALL = {
    "Opened": 7, "Started": 10, "Under way": 1, "No answer": 1, "Declined": 1, "Cancelled": 1, "Failed": 3,
    "Approved": 1, "Completed": 2,
}  # fmt: skip


def test_a_link_s_funnel_counts_every_outcome_once(client, registration) -> None:
    link = make_all_outcomes(registration)
    make_attempt(make_link(registration)[0], outcome="declined")
    assert funnel(client, page_of(link)) == ALL
    words = shown(client, link)
    secret = reason_of("secret_invalid")
    assert secret
    assert secret.what in words
    assert "Another account came back" in words


def test_a_registration_s_funnel_counts_all_its_links_of_the_last_90_days(client, registration) -> None:
    make_all_outcomes(registration)
    make_all_outcomes(registration)
    old, _ = make_link(registration, opens=5, created_at=timezone.now() - timedelta(days=91))
    make_attempt(old, outcome="declined", created_at=timezone.now() - timedelta(days=91))
    address = reverse("admin:tenants_appregistration_change", args=[registration.pk])
    assert funnel(client, address) == {step: 2 * number for step, number in ALL.items()}


def test_a_shared_registration_s_funnel_counts_what_one_may_see(client) -> None:
    shared = make_registration(shared=True)
    own, other = make_tenant(), make_tenant()
    for tenant in (own, other, other):
        make_attempt(make_link(shared, tenant=tenant, opens=1)[0], outcome="declined")
    client.force_login(make_operator(tenants=(own,), platform=True))
    steps = funnel(client, reverse("admin:tenants_appregistration_change", args=[shared.pk]))
    assert (steps["Opened"], steps["Started"], steps["Declined"]) == (1, 1, 1)


def test_the_funnel_says_what_people_were_told(client, registration) -> None:
    link, _ = make_link(registration)
    for _ in range(2):
        make_attempt(link, created_at=timezone.now() - LONG_AGO, told_code=50011)
    rows = {step: words for step, _, words in panel(client.get(page_of(link)), "Funnel").rows}
    assert "AADSTS50011 (2×): The redirect URI is not registered" in rows["No answer"]


def test_pages_cost_as_many_queries_with_many_attempts_as_with_few(
    client, registration, django_assert_max_num_queries
) -> None:
    link, _ = make_link(registration)
    for _ in range(30):
        make_attempt(link, make_connection(registration), outcome="connected")
        make_attempt(link, outcome="refused", fault_kind="secret_invalid", codes=[7000215])
        make_approval(link)
        make_mail(link)
        make_link(registration, parent=link)
    with django_assert_max_num_queries(20):
        client.get(page_of(link))
    with django_assert_max_num_queries(40):
        client.get(reverse("admin:tenants_appregistration_change", args=[registration.pk]))
    with django_assert_max_num_queries(25):
        client.get(reverse("admin:tenants_tenant_change", args=[registration.tenant_id]))


# Pins and return URLs


def errors(client: Any, registration: AppRegistration, **fields: Any) -> dict[str, list[str]]:
    response = client.post(ADD, {"registration": registration.pk, "max_uses": 1, "days": 14, **fields})
    assert not Link.objects.exists(), "it was taken"
    return response.context["adminform"].form.errors  # type: ignore[no-any-return]


def make(client: Any, registration: AppRegistration, **fields: Any) -> Link:
    client.post(ADD, {"registration": registration.pk, "max_uses": 1, "days": 14, **fields})
    return Link.objects.get()


def test_a_link_pins_an_account_and_a_directory(client, operator) -> None:
    registration = ready(audience="AzureADMultipleOrgs")
    link = make(client, registration, expected_address="Ana@Contoso.example", expected_directory=" Contoso.Example ")
    assert (link.purpose, link.expected_address, link.expected_directory) == (
        "consent",
        "ana@contoso.example",
        "contoso.example",
    )


def test_an_expected_directory_may_be_an_id_in_any_writing(client, operator) -> None:
    tid = str(uuid.uuid4())
    link = make(client, ready(audience="AzureADMultipleOrgs"), expected_directory=f"{{{tid.upper()}}}")
    assert link.expected_directory == tid


@pytest.mark.parametrize(
    ("audience", "entered", "words"),
    [
        ("AzureADMultipleOrgs", "common", "neither a GUID nor a domain"),
        ("AzureADMultipleOrgs", "contoso", "neither a GUID nor a domain"),
        ("AzureADandPersonalMicrosoftAccount", PERSONAL, "stands for all personal Microsoft accounts"),
        ("PersonalMicrosoftAccount", "contoso.example", "takes personal Microsoft accounts only"),
        ("AzureADMyOrg", "other.example", "takes accounts of its own directory only (contoso.example)"),
    ],
)
def test_a_directory_that_cannot_be_is_refused(client, operator, audience, entered, words) -> None:
    registration = ready(audience=audience, directory="contoso.example")
    assert words in errors(client, registration, expected_directory=entered)["expected_directory"][0]


def test_a_single_tenant_registration_pins_its_directory_by_itself(client, operator) -> None:
    registration = ready(directory="contoso.example")
    assert make(client, registration, expected_directory="contoso.example").expected_directory == ""


def test_an_expected_account_is_an_address(client, registration) -> None:
    assert errors(client, registration, expected_address="Ana")["expected_address"] == ["This is not an email address."]


def test_a_link_leads_to_a_return_url_of_its_registration(client, registration) -> None:
    RedirectURI.objects.create(registration=registration, uri=APP)
    assert make(client, registration, return_url=APP).return_url == APP


@pytest.mark.parametrize("entered", [f"{APP}/", APP.upper(), f"{APP}?x=1", "https://evil.example/"])
def test_any_other_return_url_is_refused_and_told_which_there_are(client, registration, entered) -> None:
    RedirectURI.objects.create(registration=registration, uri=APP)
    RedirectURI.objects.create(registration=make_registration(), uri=entered)
    assert f"return URLs of “Contoso Mail”: {APP}." in errors(client, registration, return_url=entered)["return_url"][0]


def test_without_return_urls_it_is_told_where_to_add_them(client, registration) -> None:
    words = errors(client, registration, return_url=APP)["return_url"][0]
    assert words == "“Contoso Mail” has no return URLs. Add this one on its page first, under Return URLs."


# Renewing


def test_the_page_that_renews_a_link_names_it_and_can_be_left(client, registration) -> None:
    link, _ = make_link(registration)
    page = client.get(reverse("admin:oauth_link_renew", args=[link.pk])).content.decode()
    assert f"<h1>Renew link {link.pk} for Contoso</h1>" in page
    assert re.search(f'<a href="{page_of(link)}"[^>]*>Cancel</a>', page)


@pytest.mark.parametrize(
    "ended",
    [{}, {"revoked_at": timezone.now()}, {"expires_at": timezone.now() - timedelta(days=1)}],
    ids=["open", "revoked", "expired"],
)
def test_a_renewed_link_opens_by_its_new_address_only(client, registration, ended) -> None:
    link, old = make_link(registration, **ended)
    response = renew(client, link, days=30)
    token = token_in(response)
    assert Link.objects.for_token(token) == link
    assert Link.objects.for_token(old) is None
    link.refresh_from_db()
    assert timedelta(days=29) < link.expires_at - timezone.now() <= timedelta(days=30)
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response.headers["Cache-Control"]


def test_a_new_address_is_kept_nowhere(client, registration) -> None:
    link, _ = make_link(registration)
    token = token_in(renew(client, link))
    later = [(address, client.get(address).content) for address in (LIST, page_of(link))]
    later += [("history", str(list(Event.objects.values())).encode()), ("links", str(Link.objects.values()).encode())]
    later += [("session", str(dict(client.session)).encode())]
    assert find({"token": token}, later) == []
    event = Event.objects.get(verb="renewed")
    assert (event.subject_id, event.tenant) == (str(link.pk), registration.tenant)


def test_looking_at_the_question_renews_nothing(client, registration) -> None:
    link, token = make_link(registration)
    page = client.get(reverse("admin:oauth_link_renew", args=[link.pk])).content.decode()
    assert "The old address stops at once" in page
    assert Link.objects.for_token(token) == link


def test_it_is_proposed_for_as_long_as_it_was_made_for(client, registration) -> None:
    link, _ = make_link(registration, expires_at=timezone.now() + timedelta(days=30))
    response = client.get(reverse("admin:oauth_link_renew", args=[link.pk]))
    assert '<option value="30" selected>' in response.content.decode()


def test_a_used_up_link_is_not_renewed_and_the_way_out_is_told(client, registration) -> None:
    link, _ = make_link(registration, uses=1)
    digest = link.token_digest
    response = client.post(reverse("admin:oauth_link_renew", args=[link.pk]), {"days": 14}, follow=True)
    page = response.content.decode()
    assert "is used up. Create another one." in page
    assert f"{ADD}?registration={registration.pk}&amp;tenant={registration.tenant_id}" in page
    link.refresh_from_db()
    assert link.token_digest == digest


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"tenant__suspended_at": timezone.now()}, "Contoso is suspended"),
        ({"registration__archived_at": timezone.now()}, "is archived"),
        ({"parent__revoked_at": timezone.now()}, "Renew that one first"),
        ({"purpose": "disconnect"}, "good for that mail only"),
    ],
)
def test_what_would_open_nothing_is_not_renewed(client, registration, fields, words) -> None:
    parent, _ = make_link(registration)
    link, _ = make_link(registration, parent=parent)
    for path, value in fields.items():
        name, _, column = path.partition("__")
        row = getattr(link, name) if column else link
        setattr(row, column or name, value)
        row.save()
    assert client.get(reverse("admin:oauth_link_renew", args=[link.pk])).status_code == 302
    assert words in renew(client, link, follow=True).wsgi_request._messages._queued_messages[0].message
    assert "Renew<" not in client.get(page_of(link)).content.decode()


def test_a_mail_that_waits_is_not_sent_after_a_renewal(client, registration, mailoutbox) -> None:
    link, _ = make_link(registration)
    mail = make_mail(link)
    renew(client, link)
    mail.refresh_from_db()
    assert mail.state == Mail.State.SET_ASIDE
    assert mail.tries[-1]["problem"] == "The link was renewed."


def test_who_may_not_make_links_renews_none(client, registration, operator) -> None:
    link, token = make_link(registration)
    group = operator.groups.get()
    group.permissions.remove(group.permissions.get(codename="add_link"))
    assert renew(client, link).status_code == 403
    assert Link.objects.for_token(token) == link


@pytest.mark.parametrize("mail", [{}, {"mail": "1"}], ids=["shown", "mailed"])
def test_who_may_not_change_the_registration_renews_no_secret_drop(client, registration, operator, mail) -> None:
    link, token = make_link(registration, purpose="secret", sent_to="ana@example.com")
    make_mail(link)
    group = operator.groups.get()
    group.permissions.remove(group.permissions.get(codename="change_appregistration"))
    assert client.get(reverse("admin:oauth_link_renew", args=[link.pk])).status_code == 403
    assert renew(client, link, **mail).status_code == 403
    assert "Renew<" not in client.get(page_of(link)).content.decode()
    assert Link.objects.for_token(token) == link
    assert Mail.objects.count() == 1


def test_a_guessed_link_of_another_tenant_is_not_renewed(client, registration) -> None:
    link, token = make_link()
    assert renew(client, link).status_code == 302
    assert Link.objects.for_token(token) == link


# Reconnecting


def reconnect(client: Any, connection: Connection, **fields: Any) -> Any:
    return client.post(reverse("admin:oauth_connection_reconnect", args=[connection.pk]), {"days": 7, **fields})


def test_a_link_to_reconnect_is_for_its_connection_alone(client, registration, operator) -> None:
    RedirectURI.objects.create(registration=registration, uri=APP)
    connection = make_connection(registration, token_status="dead")
    token = token_in(reconnect(client, connection, return_url=APP))
    link = Link.objects.get()
    assert Link.objects.for_token(token) == link
    assert (link.purpose, link.connection, link.tenant) == ("reconnect", connection, connection.tenant)
    assert (link.registration, link.created_by, link.return_url) == (registration, operator, APP)
    assert Event.objects.get(verb="added").subject_id == str(link.pk)


def test_a_link_to_reconnect_takes_no_return_url_of_others(client, registration) -> None:
    RedirectURI.objects.create(registration=registration, uri=APP)
    response = reconnect(client, make_connection(registration), return_url="https://evil.example/")
    assert "Select a valid choice" in response.content.decode()
    assert not Link.objects.exists()


def test_an_account_of_a_shared_registration_is_reconnected_by_who_sees_it(client, operator) -> None:
    shared = make_registration(shared=True, name="Of everybody")
    make_credential(shared)
    RedirectURI.objects.create(registration=shared, uri=APP)
    connection = make_connection(shared, tenant=Tenant.objects.get(slug="contoso"))
    address = reverse("admin:oauth_connection_reconnect", args=[connection.pk])
    page = client.get(address).content.decode()
    assert "Of everybody" not in page
    assert APP not in page
    assert token_in(reconnect(client, connection))


@pytest.mark.parametrize("why", ["no secret", "suspended"])
def test_what_cannot_be_reconnected_says_why(client, registration, why) -> None:
    connection = make_connection(registration)
    if why == "suspended":
        Tenant.objects.update(suspended_at=timezone.now())
    else:
        registration.credentials.all().delete()
    words = {"suspended": "Contoso is suspended", "no secret": "Its registration has no client secret yet"}[why]
    response = client.post(reverse("admin:oauth_connection_reconnect", args=[connection.pk]), {"days": 7}, follow=True)
    assert words in response.content.decode()
    assert not Link.objects.exists()
    assert "/reconnect/" not in client.get(page_of(connection)).content.decode()


def test_a_guessed_connection_of_another_tenant_is_not_reconnected(client, registration) -> None:
    foreign = make_registration()
    make_credential(foreign)
    reconnect(client, make_connection(foreign))
    assert not Link.objects.exists()


def test_who_may_not_make_links_reconnects_nobody(client, registration, operator) -> None:
    group = operator.groups.get()
    group.permissions.remove(group.permissions.get(codename="add_link"))
    assert reconnect(client, make_connection(registration)).status_code == 403


# Approvals


@pytest.mark.parametrize(
    ("status", "proves"),
    [
        ("reported", "whoever carries such an answer can make it up"),
        ("seen", "was given all that was asked for"),
        ("verified", "Read from the directory's own list"),
    ],
)
def test_an_approval_is_shown_by_its_word_with_what_that_proves(client, registration, status, proves) -> None:
    link, _ = make_link(registration)
    grant, _attempt = make_approval(link, status=status)
    tenant, app = ("tenants_tenant", registration.tenant_id), ("tenants_appregistration", registration.pk)
    addresses = [reverse(f"admin:{name}_change", args=[key]) for name, key in (tenant, app)]
    for address in [*addresses, page_of(grant)]:
        page = client.get(address).content.decode().replace("&#x27;", "'")
        assert f">{status}<" in page
        assert proves in page
        assert f'href="{page_of(link)}"' in page


def test_an_approval_that_is_doubted_says_so(admin_client) -> None:
    make_approval(make_link()[0], status="seen", doubted_at=timezone.now())
    page = admin_client.get(reverse("admin:oauth_admingrant_changelist")).content.decode()
    assert "seen, doubted" in page
    assert "may have been withdrawn" in page
