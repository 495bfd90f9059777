"""What each column of an import refuses and in which words, and that nothing of other tenants is met or told."""

import uuid
from datetime import date

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from tenants.imports.cells import AUDIENCES
from tenants.imports.resource import RegistrationResource
from tenants.imports.situation import Situation, load
from tenants.models import AppRegistration, RedirectURI, Tenant
from tests.factories import make_credential, make_operator, make_registration, make_secret, make_tenant
from tests.tenants.uploads import NEXT_YEAR, check, counts, errors, page, row, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant(client) -> Tenant:
    tenant = make_tenant("Contoso", slug="contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    return tenant


@pytest.mark.parametrize(
    ("cells", "column", "words"),
    [
        ({"tenant": "Nowhere"}, "tenant", "Unknown tenant. Write its name or short name"),
        ({"tenant": ""}, "tenant", "Name the tenant."),
        ({"name": ""}, "name", "Give it the name it has in Entra."),
        ({"name": "x" * 121}, "name", "at most 120 characters"),
        ({"cloud": "mars"}, "cloud", "This cloud is not configured here. Known are: global, usgov_l4"),
        ({"audience": "everybody"}, "audience", "Write single, multi, any or personal"),
        ({"audience": "personal", "cloud": "china"}, "audience", "has no personal Microsoft accounts"),
        ({"directory": ""}, "directory", "enter its Directory (tenant) ID or a domain"),
        ({"directory": "no directory"}, "directory", "neither a GUID nor a domain"),
        ({"client_id": "my app"}, "client_id", "This is not a GUID"),
        ({"client_id": "x" * 50}, "client_id", "at most 36 characters"),
        ({"scopes": "Mail.ReadOnly Files.Read"}, "scopes", "“Files.Read” is not a scope of the catalogue"),
        ({"scopes": "Mail.ReadOnly,SMTP.Send"}, "scopes", "AADSTS70011"),
        (
            {"product_uris": "https://a.example/ http://b.example/"},
            "product_uris",
            "Address 2: it must begin with https",
        ),
        ({"return_urls": "https://a.example/#x"}, "return_urls", "Address 1: it must hold no fragment (#)."),
        ({"alert_emails": "ops@example.com; nobody"}, "alert_emails", "“nobody” is not an email address"),
        ({"client_secret": str(uuid.uuid4()), "secret_ends_on": NEXT_YEAR}, "client_secret", "This is the Secret ID"),
        ({"client_secret": "two words here", "secret_ends_on": NEXT_YEAR}, "client_secret", "no spaces"),
        ({"client_secret": "short", "secret_ends_on": NEXT_YEAR}, "client_secret", "too short"),
        ({"client_secret": "x" * 401, "secret_ends_on": NEXT_YEAR}, "client_secret", "too long to be a client secret"),
        ({"client_secret": "not-a-real-secret"}, "secret_ends_on", "Enter the day this secret ends"),
        ({"client_secret": "not-a-real-secret", "secret_ends_on": "31/01/2027"}, "secret_ends_on", "not a day"),
        ({"client_secret": "not-a-real-secret", "secret_ends_on": "20270131"}, "secret_ends_on", "not a day"),
        ({"client_secret": "not-a-real-secret", "secret_ends_on": "2020-01-01"}, "secret_ends_on", "ended already"),
        (
            {"client_secret": "not-a-real-secret", "secret_ends_on": date.today().isoformat()},
            "secret_ends_on",
            "ended already",
        ),
        ({"secret_ends_on": NEXT_YEAR}, "client_secret", "Enter the Value of the secret that ends on this day."),
        (
            {"client_id": "", "client_secret": "not-a-real-secret", "secret_ends_on": NEXT_YEAR},
            "client_id",
            "Enter the Application (client) ID that the secret is of.",
        ),
    ],
)
def test_each_column_says_what_is_wrong_with_it(client, tenant, cells, column, words) -> None:
    taken = check(client, row(), row(**cells))
    [[number, where, said]] = [error for error in errors(taken) if error[1] == column]
    assert (number, where) == (3, column)
    assert words in said
    assert counts(taken) == {"new": 1, "wrong": 1}
    assert "What is wrong" in page(client, taken)


def test_one_look_finds_all_that_is_wrong_with_a_row(client, tenant) -> None:
    wrong = row(tenant="Nowhere", name="", cloud="mars", scopes="x", directory="no directory", client_id="x")
    columns = [column for _, column, _ in errors(check(client, wrong))]
    assert columns == ["tenant", "name", "cloud", "directory", "client_id", "scopes"]
    wrong = row(directory="no directory", client_id="x", alert_emails="x", secret_ends_on="x")
    columns = [column for _, column, _ in errors(check(client, wrong))]
    assert columns == ["directory", "client_id", "alert_emails", "secret_ends_on"]


def test_a_secret_that_is_refused_is_not_quoted(client, tenant) -> None:
    for value in (str(uuid.uuid4()), "sec ret with spaces", "abc", "y" * 500):
        taken = check(client, row(client_secret=value, secret_ends_on=NEXT_YEAR))
        assert value not in page(client, taken)
        assert value not in str(list(taken.rows.values("cells", "errors", "plan", "changes", "hints")))


@pytest.mark.parametrize(
    ("words", "audience"),
    [
        ("AzureADMyOrg", "AzureADMyOrg"),
        ("azureadmultipleorgs", "AzureADMultipleOrgs"),
        ("Accounts in any organizational directory (Multitenant)", "AzureADMultipleOrgs"),
        ("Accounts in this organizational directory only (Single tenant)", "AzureADMyOrg"),
        ("Accounts in this organizational directory only", "AzureADMyOrg"),
        (
            "Accounts in any organizational directory (Multitenant) and personal Microsoft accounts",
            "AzureADandPersonalMicrosoftAccount",
        ),
        ("Personal Microsoft accounts only", "PersonalMicrosoftAccount"),
        ("single-tenant", "AzureADMyOrg"),
        ("Multi", "AzureADMultipleOrgs"),
        ("any", "AzureADandPersonalMicrosoftAccount"),
        ("personal", "PersonalMicrosoftAccount"),
        ("", "AzureADMyOrg"),
    ],
)
def test_account_types_in_every_wording(client, tenant, words, audience) -> None:
    assert check(client, row(audience=words)).rows.get().plan["audience"] == audience
    assert len({key for key, found in AUDIENCES.items() if found == audience}) >= 4


def test_scopes_in_microsoft_s_words(client, tenant) -> None:
    taken = check(client, row(scopes="Calendars.Read, contacts.readwrite; Mail.ReadWrite"))
    assert taken.rows.get().plan["scopes"] == ["Mail.ReadWrite", "Calendar.ReadOnly", "Contacts.ReadWrite"]


def test_a_scope_for_imap_needs_a_cloud_that_has_it(client, tenant, settings) -> None:
    settings.EXTRA_CLOUDS = [{"key": "fr", "name": "France", "login_host": "login.example", "graph_host": "g.example"}]
    assert "France has no host for IMAP" in errors(check(client, row(cloud="france", scopes="SMTP.Send")))[0][2]


# Rows against each other and against what is stored


def test_two_rows_about_one_registration_are_refused(client, tenant) -> None:
    client_id = str(uuid.uuid4())
    found = errors(check(client, row(client_id=client_id), row(client_id=client_id.upper(), cloud="global")))
    assert found == [[3, "client_id", "Row 2 is about the same registration. Keep one of the two."]]


def test_two_rows_of_one_name_are_refused_however_the_tenant_is_written(client, tenant) -> None:
    stored = make_registration(tenant, name="Stored")
    taken = check(
        client, row(name="Same"), row(name="Same", tenant="CONTOSO"), row(name="x", client_id=stored.client_id)
    )
    assert errors(taken) == [[3, "name", "Row 2 has the same name for the same tenant. Rename one of the two."]]


def test_a_name_that_is_taken_is_refused_at_its_column(client, tenant) -> None:
    make_registration(tenant, name="Taken")
    assert errors(check(client, row(name="Taken"))) == [
        [2, "name", "This tenant already has a registration of this name."]
    ]


def test_a_new_row_must_say_whose_it_is_and_how_it_is_called(client, tenant) -> None:
    found = errors(check(client, {"client_id": str(uuid.uuid4()), "directory": "a.example"}))
    assert [column for _, column, _ in found] == ["tenant", "name"]
    assert "This row is new, so the file needs a column tenant" in found[0][2]


def test_a_registration_never_moves(client, tenant) -> None:
    other = make_tenant("Fabrikam")
    stored = make_registration(other)
    client.force_login(make_operator(tenants=(tenant, other)))
    assert errors(check(client, row(client_id=stored.client_id))) == [
        [
            2,
            "tenant",
            "This registration is of “Fabrikam”, and never moves to another tenant. "
            "Correct the tenant or the client ID.",
        ]
    ]


def test_a_suspended_tenant_gets_nothing_and_an_archived_one_is_unknown(client, tenant) -> None:
    stored = make_registration(tenant)
    Tenant.objects.update(suspended_at=timezone.now())
    for given in (row(), row(client_id=stored.client_id)):
        assert "This tenant is suspended" in errors(check(client, given))[0][2]
    Tenant.objects.update(archived_at=timezone.now(), suspended_at=None)
    assert "Unknown tenant" in errors(check(client, row()))[0][2]


def test_who_may_not_change_registrations_adds_them_only(client, tenant) -> None:
    stored = make_registration(tenant, directory="contoso.example")
    operator = make_operator(tenants=(tenant,))
    operator.groups.clear()
    operator.user_permissions.add(Permission.objects.get(codename="add_appregistration"))
    client.force_login(operator)
    taken = check(client, row(), row(client_id=stored.client_id), row(client_id=stored.client_id, name=stored.name))
    assert [error for error in errors(taken) if error[0] == 3] == [
        [3, "client_id", "It is stored already, and you may not change registrations."]
    ]
    given = row(client_id=stored.client_id, name=stored.name)
    assert counts(check(client, given)) == {"unchanged": 1}


# What lint says of it


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (
            {"audience": "any", "product_uris": "https://a.example/?page=home"},
            "Microsoft would refuse it (AADSTS50011): “https://a.example/?page=home” has a query string. Use",
        ),
        ({"audience": "personal", "name": "x" * 91}, "Microsoft would refuse it: The name has 91 characters;"),
        ({"directory": "9188040d-6c67-4c5b-b112-36a304b66dad"}, "Microsoft would refuse it (AADSTS700016): "),
    ],
)
def test_what_microsoft_would_refuse_is_said_before_it_is_imported(client, tenant, cells, words) -> None:
    taken = check(client, row(), row(**cells))
    assert counts(taken) == {"new": 2}
    first, second = (shown.hints for shown in taken.rows.order_by("number"))
    assert first == []
    assert second[0].startswith(words)
    assert "Microsoft would refuse it" in page(client, taken)


def test_what_is_stored_already_is_seen_as_it_would_be(client, tenant) -> None:
    stored = make_registration(tenant, audience="AzureADMyOrg", directory="contoso.example")
    RedirectURI.objects.create(registration=stored, use=RedirectURI.Use.PRODUCT, uri="https://a.example/?page=home")
    given = {"client_id": stored.client_id}
    assert check(client, {**given, "audience": "multi"}).rows.get().hints == []
    [said] = check(client, {**given, "audience": "any"}).rows.get().hints
    assert "has a query string" in said
    assert check(client, {**given, "audience": "any", "product_uris": "https://a.example/"}).rows.get().hints == []
    assert check(client, {**given, "audience": "single"}).rows.get().hints == []


def test_of_many_refusals_a_few_are_told(client, tenant) -> None:
    uris = " ".join(f"https://a.example/?{number}" for number in range(20))
    told = check(client, row(audience="any", product_uris=uris)).rows.get().hints
    assert len(told) == 6
    assert told[-1] == "Microsoft would refuse 15 more of its values."


def test_to_foresee_asks_the_database_for_nothing(client, tenant, django_assert_num_queries) -> None:
    stored = [make_registration(tenant, directory="contoso.example") for _ in range(3)]
    rows = [{"client_id": each.client_id, "name": each.name, "tenant": "Contoso", "audience": "any"} for each in stored]
    taken = check(client, *rows, *(row(audience="any", product_uris="https://a.example/?b") for _ in range(3)))
    resource = RegistrationResource(Situation(taken), load(each.pk for each in stored))
    checked_again = list(taken.rows.all())
    with django_assert_num_queries(0):
        for each in checked_again:
            resource.judge(each)


# Of other tenants


def test_another_tenant_is_as_unknown_as_one_that_is_not_there(client, tenant) -> None:
    make_tenant("Fabrikam", slug="fabrikam")
    words = {errors(check(client, row(tenant=name)))[0][2] for name in ("Fabrikam", "fabrikam", "Nowhere")}
    assert len(words) == 1


def test_another_tenant_s_registration_is_neither_met_nor_told(client, tenant) -> None:
    value = make_secret()
    other = make_registration(make_tenant("Fabrikam"), name="Fabrikam's app")
    make_credential(other, value=value)
    for given in (
        row(client_id=other.client_id),
        row(client_id=other.client_id, tenant="Fabrikam"),
        {"client_id": other.client_id, "name": "Mine now"},
        {"client_id": other.client_id, "client_secret": value, "secret_ends_on": NEXT_YEAR},
    ):
        taken = check(client, given)
        assert counts(taken) == {"wrong": 1}
        shown = page(client, taken)
        assert "Fabrikam&#x27;s" not in shown
        assert other.directory not in shown
        write(client, taken)
    assert AppRegistration.objects.get().name == "Fabrikam's app"


def test_a_client_id_of_another_tenant_is_in_use_and_that_is_all(client, tenant) -> None:
    other = make_registration()
    assert errors(check(client, row(client_id=other.client_id))) == [
        [2, "client_id", "This application (client) ID is already in use in this cloud."]
    ]


def test_a_name_of_another_tenant_s_is_no_trouble(client, tenant) -> None:
    make_registration(name="Mail")
    assert counts(check(client, row(name="Mail"))) == {"new": 1}


def test_whose_preview_it_is_sees_a_registration_only_as_long_as_they_may(client, tenant) -> None:
    stored = make_registration(tenant, name="Old and private")
    taken = check(client, row(client_id=stored.client_id, name="New"))
    assert "Old and private" in page(client, taken)
    tenant.accesses.all().delete()
    assert "Old and private" not in page(client, taken)


def test_nobody_else_sees_an_import(client, tenant) -> None:
    taken = check(client, row(name="Private"))
    client.force_login(make_operator(tenants=(tenant,), platform=True))
    assert "Private" not in page(client, taken)
