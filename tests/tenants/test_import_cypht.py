"""A running Cypht's `.env`: what becomes a row, and that everything else in it is dropped at once."""

import uuid

import pytest
from django.db import connection as database

from tenants.models import AppRegistration, Import, Tenant
from tests.canary import find
from tests.factories import make_operator, make_registration, make_secret, make_tenant
from tests.tenants.uploads import NEXT_YEAR, check, checked, counts, errors, page, post, refusal, row, upload, write

pytestmark = pytest.mark.django_db

DIRECTORY = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"


@pytest.fixture
def tenant(client) -> Tenant:
    tenant = make_tenant("Contoso", slug="contoso")
    client.force_login(make_operator(tenants=(tenant,)))
    return tenant


def env(prefix: str = "OFFICE365", **values: str) -> str:
    given = {
        "CLIENT_ID": str(uuid.uuid4()),
        "CLIENT_SECRET": make_secret(),
        "CLIENT_URI": "https://mail.contoso.example/?page=home",
        "AUTH_URI": f"https://login.microsoftonline.com/{DIRECTORY}/oauth2/v2.0/authorize",
        **values,
    }
    return "".join(f"{prefix}_{name}={value}\n" for name, value in given.items())


def taken_from(client, tenant: Tenant, text: str, **fields) -> Import:
    return checked(upload(client, text, ".env", tenant=tenant.pk, **fields))


def test_a_cypht_becomes_a_registration(client, tenant) -> None:
    value = make_secret()
    text = "# Cypht\nAPP_NAME='My mail'\n" + env(CLIENT_SECRET=value) + "OUTLOOK_CLIENT_ID=\n"
    taken = taken_from(client, tenant, text, secret_ends_on=NEXT_YEAR)
    assert counts(taken) == {"new": 1}
    assert "tick them on its page" in page(client, taken)
    write(client, taken)
    made = AppRegistration.objects.get()
    assert (made.tenant, made.name) == (tenant, "Cypht Office 365 (mail.contoso.example)")
    assert (made.audience, made.directory, made.cloud) == ("AzureADMyOrg", DIRECTORY, "global")
    assert made.product_uris == ["https://mail.contoso.example/?page=home"]
    assert made.scope_names == []
    credential = made.credentials.current().get()
    assert credential.value is not None
    assert credential.value.reveal("test") == value
    assert f"{credential.ends_at:%Y-%m-%d}" == NEXT_YEAR


def test_an_end_that_nobody_knows_stays_unknown(client, tenant) -> None:
    taken = taken_from(client, tenant, env())
    assert "The day the secret ends is not known" in page(client, taken)
    write(client, taken)
    made = AppRegistration.objects.get()
    assert made.credentials.current().get().ends_at is None
    assert "no end date" in client.get(f"/admin/tenants/appregistration/{made.pk}/change/").content.decode()


@pytest.mark.parametrize(
    ("address", "audience", "directory"),
    [
        ("", "PersonalMicrosoftAccount", ""),
        ("0", "PersonalMicrosoftAccount", ""),
        ("https://login.live.com/oauth20_authorize.srf", "PersonalMicrosoftAccount", ""),
        ("https://login.microsoftonline.com/common/oauth2/v2.0/authorize", "AzureADandPersonalMicrosoftAccount", ""),
        ("https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize", "AzureADMultipleOrgs", ""),
        ("https://LOGIN.microsoftonline.com/Consumers/oauth2/v2.0/authorize", "PersonalMicrosoftAccount", ""),
        (f"https://login.microsoftonline.com/{DIRECTORY.upper()}/oauth2/v2.0/authorize", "AzureADMyOrg", DIRECTORY),
        ("https://login.microsoftonline.com/contoso.example/oauth2/v2.0/authorize", "AzureADMyOrg", "contoso.example"),
    ],
)
def test_who_may_sign_in_is_read_from_the_address(client, tenant, address, audience, directory) -> None:
    plan = taken_from(client, tenant, env("OUTLOOK", AUTH_URI=address)).rows.get().plan
    assert (plan["audience"], plan["directory"], plan["cloud"]) == (audience, directory, "global")


@pytest.mark.parametrize(
    ("chosen", "host", "cloud"),
    [
        ("global", "login.microsoftonline.us", "usgov_l4"),
        ("usgov_l5", "login.microsoftonline.us", "usgov_l5"),
        ("global", "login.partner.microsoftonline.cn", "china"),
        ("china", "login.microsoftonline.com", "global"),
        ("global", "localhost:9443", "fr"),
    ],
)
def test_the_cloud_is_the_one_with_that_sign_in(client, tenant, settings, chosen, host, cloud) -> None:
    settings.EXTRA_CLOUDS = [{"key": "fr", "name": "France", "login_host": "localhost:9443", "graph_host": "g.example"}]
    taken = taken_from(client, tenant, env(AUTH_URI=f"https://{host}/{DIRECTORY}/oauth2/v2.0/authorize"), cloud=chosen)
    assert taken.rows.get().plan["cloud"] == cloud


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("APP_NAME=x\n", "Neither OUTLOOK_CLIENT_ID nor OFFICE365_CLIENT_ID has a value in this .env."),
        ("OUTLOOK_CLIENT_ID=0\n", "Neither OUTLOOK_CLIENT_ID"),
        ("OUTLOOK_CLIENT_ID=x\nthis is no line\n", "This .env cannot be read: line 2:"),
        (
            env(AUTH_URI="https://login.example.org/common/authorize"),
            "OFFICE365_AUTH_URI: “login.example.org” is the sign-in host of no cloud",
        ),
        (env(AUTH_URI="https://login.microsoftonline.com/x y"), "This .env cannot be read"),
        (env(AUTH_URI="https://login.microsoftonline.com/"), "OFFICE365_AUTH_URI: the first part of its path"),
        (env(AUTH_URI="https://[x/common"), "OFFICE365_AUTH_URI: this is not a URL."),
        (
            env("OUTLOOK", CLIENT_ID=DIRECTORY) + env("OFFICE365", CLIENT_ID=DIRECTORY),
            "OUTLOOK_CLIENT_ID and OFFICE365_CLIENT_ID are the same, but",
        ),
        (env(CLIENT_ID="abc8Q~" + "x" * 34), "Row 1, client_id: this looks like a client secret"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_way_out(client, tenant, text, words) -> None:
    assert words in refusal(client, text, ".env", tenant=tenant.pk)


BOMB = "A=aaaaaaaaaa\n" + "".join(f"{b}={f'${{{a}}}' * 10}\n" for a, b in zip("ABCDEF", "BCDEFG", strict=True))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "This .env cannot be read: line 6: its variables make it too large."),
        (f"A=1\nB=$({'(' * 3000}x{')' * 3001}\n", "This .env cannot be read: line 2: $( ) would run a command"),
        (f"A=1\nB=$({'(' * 3000}\n", "This .env cannot be read: line 2: a parenthesis after $ is not closed"),
        (f"A={'(' * 99_999}\n", "A .env has at most 100,000 characters, and this file has 100,002."),
        (f'A="$({"(" * 3000})"\n', "Neither OUTLOOK_CLIENT_ID nor OFFICE365_CLIENT_ID"),
    ],
)
def test_a_small_file_that_would_become_a_large_or_deep_one_is_refused(client, tenant, text, words) -> None:
    assert words in refusal(client, text, ".env", tenant=tenant.pk)


def test_both_services_are_two_rows_or_one_where_they_are_the_same(client, tenant) -> None:
    two = taken_from(client, tenant, env("OUTLOOK", AUTH_URI="") + env("OFFICE365"))
    assert counts(two) == {"new": 2}
    same = {"CLIENT_ID": DIRECTORY, "CLIENT_SECRET": make_secret()}
    other = env("OUTLOOK", **same, CLIENT_URI="https://b.contoso.example/")
    one = taken_from(client, tenant, env("OFFICE365", **same) + other)
    assert counts(one) == {"new": 1}
    assert one.rows.get().plan["product_uris"] == [
        "https://b.contoso.example/",
        "https://mail.contoso.example/?page=home",
    ]


def test_personal_accounts_by_one_service_and_others_by_the_other_are_one_registration_for_both(client, tenant) -> None:
    same = {"CLIENT_ID": str(uuid.uuid4()), "CLIENT_SECRET": make_secret()}
    for directory, expected in ((DIRECTORY, DIRECTORY), ("common", ""), ("organizations", "")):
        address = f"https://login.microsoftonline.com/{directory}/oauth2/v2.0/authorize"
        for live in ("", "https://login.live.com/oauth20_authorize.srf"):
            text = env("OUTLOOK", **same, AUTH_URI=live) + env("OFFICE365", **same, AUTH_URI=address)
            taken = taken_from(client, tenant, text)
            assert counts(taken) == {"new": 1}
            plan = taken.rows.get().plan
            assert (plan["audience"], plan["directory"]) == ("AzureADandPersonalMicrosoftAccount", expected)


@pytest.mark.parametrize(
    "other",
    [
        {"CLIENT_SECRET": "another-made-up-one"},
        {"AUTH_URI": "https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize"},
    ],
)
def test_one_client_id_with_two_secrets_or_two_places_for_work_is_refused(client, tenant, other) -> None:
    same = {"CLIENT_ID": str(uuid.uuid4()), "CLIENT_SECRET": make_secret()}
    text = env("OUTLOOK", **{**same, **other}) + env("OFFICE365", **same)
    assert "are the same, but their secrets or AUTH_URIs are not" in refusal(client, text, ".env", tenant=tenant.pk)


ANY, MANY = "AzureADandPersonalMicrosoftAccount", "AzureADMultipleOrgs"
ONE, PERSONAL = "AzureADMyOrg", "PersonalMicrosoftAccount"
LIVE = "https://login.live.com/oauth20_authorize.srf"
OTHER = "cccccccc-bbbb-cccc-dddd-eeeeeeeeeeee"


@pytest.mark.parametrize(
    ("audience", "directory", "address", "expected"),
    [
        (ANY, OTHER, LIVE, {}),
        (ANY, OTHER, "common", {}),
        (ANY, OTHER, "organizations", {}),
        (ANY, OTHER, DIRECTORY, {}),
        (MANY, OTHER, DIRECTORY, {}),
        (MANY, "", DIRECTORY, {"directory": ["", DIRECTORY]}),
        (PERSONAL, OTHER, LIVE, {}),
        (ONE, OTHER, DIRECTORY, {"directory": [OTHER, DIRECTORY]}),
        (ONE, OTHER, "organizations", {"audience": [ONE, MANY]}),
        (MANY, OTHER, "common", {"audience": [MANY, ANY]}),
        (PERSONAL, OTHER, DIRECTORY, {"audience": [PERSONAL, ONE], "directory": [OTHER, DIRECTORY]}),
    ],
)
def test_what_a_cypht_only_hints_at_changes_nothing_that_is_known_better(
    client, tenant, audience, directory, address, expected
) -> None:
    stored = make_registration(tenant, name="Mail for all", audience=audience, directory=directory)
    authorize = address if "/" in address else f"https://login.microsoftonline.com/{address}/oauth2/v2.0/authorize"
    text = env("OUTLOOK", CLIENT_ID=stored.client_id, CLIENT_SECRET="", CLIENT_URI="", AUTH_URI=authorize)
    assert taken_from(client, tenant, text).rows.get().changes == expected


def test_what_is_stored_keeps_its_name_and_gets_one_address_more(client, tenant) -> None:
    stored = make_registration(tenant, name="Mail for all", directory=DIRECTORY)
    given = row(name=stored.name, client_id=stored.client_id, directory=DIRECTORY, product_uris="https://a.example/")
    write(client, check(client, given))
    taken = taken_from(client, tenant, env(CLIENT_ID=stored.client_id, CLIENT_SECRET=""))
    assert taken.rows.get().changes == {
        "product_uris": [["https://a.example/"], ["https://a.example/", "https://mail.contoso.example/?page=home"]]
    }
    write(client, taken)
    changed = AppRegistration.objects.get()
    assert (changed.name, changed.scope_names) == ("Mail for all", ["Mail.ReadOnly"])
    assert changed.product_uris == ["https://a.example/", "https://mail.contoso.example/?page=home"]


def test_an_address_no_registration_may_have_is_told(client, tenant) -> None:
    taken = taken_from(client, tenant, env(CLIENT_URI="http://mail.contoso.example/"))
    assert errors(taken)[0][1] == "product_uris"


def test_everything_else_in_the_file_is_dropped_at_once(client, tenant) -> None:
    kept = make_secret()
    others = {name: make_secret() for name in ("DB_PASS", "GMAIL_CLIENT_SECRET", "SESSION_KEY", "GMAIL_CLIENT_ID")}
    text = "".join(f"{name}={value}\n" for name, value in others.items()) + env(CLIENT_SECRET=kept)
    taken = taken_from(client, tenant, text)
    dump = []
    for table in database.introspection.table_names():
        with database.cursor() as cursor:
            cursor.execute(f'SELECT * FROM "{table}"')
            dump.append((table, repr(cursor.fetchall()).encode()))
    assert find({**others, "kept": kept}, [*dump, ("page", page(client, taken).encode())]) == []
    secret = taken.rows.get().secret
    assert secret is not None
    assert secret.reveal("test") == kept


def test_whose_cypht_it_is_must_be_chosen_among_ones_own(client, tenant) -> None:
    other = make_tenant("Fabrikam")
    assert "Choose the tenant whose Cypht this is." in refusal(client, env(), ".env")
    assert "Select a valid choice" in refusal(client, env(), ".env", tenant=other.pk)
    assert "Fabrikam" not in post(client, env(), ".env").content.decode()
    client.force_login(make_operator(platform=True))
    assert counts(checked(upload(client, env(), ".env"))) == {"new": 1}


def test_an_end_in_the_past_is_refused(client, tenant) -> None:
    assert "has ended already" in refusal(client, env(), ".env", tenant=tenant.pk, secret_ends_on="2020-01-01")
