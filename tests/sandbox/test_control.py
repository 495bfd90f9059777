import json
import re
from html import unescape
from urllib.parse import urlencode

import pytest
import urllib3

from sandbox.control_views import COMMON_FAULTS
from sandbox.permission_ids import APPLICATION, GRAPH
from tests.microsoft import Refused
from tests.sandbox.conftest import REDIRECT

PAGES = ["/control/", "/control/apps/", "/control/people/", "/control/grants/", "/control/faults/", "/control/mail/"]


def fetch(contoso, path, method="GET", **kwargs):
    return urllib3.request(method, contoso.box.pages_origin + path, redirect=False, retries=False, **kwargs)


def press(contoso, verb, origin="", **fields):
    """Press a button of the control page and read the page that follows."""
    response = fetch(
        contoso,
        f"/control/do/{verb}",
        "POST",
        body=urlencode(fields, doseq=True),
        headers={
            "Origin": origin or contoso.box.pages_origin,
            "Content-Type": "application/x-www-form-urlencoded",
        },
    )
    assert response.status == 303
    return response.headers["Location"], fetch(contoso, response.headers["Location"]).data.decode()


def api(contoso, verb, body=b"{}", **headers):
    sent = {"Content-Type": "application/json", **headers}
    return fetch(contoso, f"/control/api/{verb}", "POST", body=body, headers=sent)


def notice(html):
    found = re.search(r'role="status">\s*<p>(.*?)</p>', html)
    return found[1].replace("&#39;", "'") if found else None


# -- looking


@pytest.mark.parametrize("path", PAGES)
def test_each_page_answers_full_and_empty(contoso, path):
    contoso.granted()
    contoso.microsoft.set_fault("down", client_id=contoso.client_id)
    assert fetch(contoso, path).status == 200
    contoso.microsoft.reset()
    html = fetch(contoso, path).data.decode()
    assert "this is not Microsoft" in html
    assert 'class="empty"' in html


def test_pages_show_secrets_by_hint_only(contoso):
    html = fetch(contoso, "/control/apps/").data.decode()
    assert f"{contoso.secret[:3]}…" in html
    assert contoso.secret not in html
    assert contoso.secret not in json.dumps(contoso.microsoft.world())


def test_grants_name_the_person_the_app_and_the_permissions(contoso):
    contoso.granted()
    html = fetch(contoso, "/control/grants/").data.decode()
    for words in ("Adele Vance", "Contoso Mail", "Mail.Read", "adele@contoso.example"):
        assert words in html


def test_a_request_waits_on_the_grants_page_until_it_is_decided(contoso):
    contoso.microsoft.users_may_consent(contoso.directory, False)
    contoso.microsoft.approval_workflow(contoso.directory)
    contoso.sign_in("ask")
    html = fetch(contoso, "/control/grants/").data.decode()
    assert "I need my mail there." in html
    request = contoso.microsoft.world()["approvals"][0]["id"]
    _, html = press(contoso, "approve", id=request, back="grants")
    assert notice(html).startswith("Contoso Mail may act for everybody in Contoso now.")
    assert ">approved<" in html
    assert "/control/do/approve" not in html


def test_what_is_special_about_an_app_and_a_person_is_shown(contoso):
    microsoft = contoso.microsoft
    microsoft.disable_app(contoso.client_id, contoso.directory)
    microsoft.require_assignment(contoso.client_id, contoso.directory)
    microsoft.may_read_grants(contoso.client_id, contoso.directory)
    microsoft.may_read_applications(contoso.client_id, contoso.directory)
    microsoft.owns_itself(contoso.client_id)
    microsoft.set_mailbox(contoso.oid, False)
    fabrikam = microsoft.add_directory("Fabrikam", "fabrikam.example")["id"]
    microsoft.add_guest(fabrikam, contoso.oid)
    apps, people = (fetch(contoso, f"/control/{name}/").data.decode() for name in ("apps", "people"))
    for tag in (">disabled<", ">assignment required<", ">reads grants<", ">reads apps<", ">owns itself<"):
        assert tag in apps
    for tag in (">no mailbox<", ">guest from Contoso<"):
        assert tag in people


def test_each_common_fault_is_one_click(contoso):
    html = fetch(contoso, "/control/faults/").data.decode()
    section = html[html.index('id="common"') : html.index('id="new"')]
    forms = [dict(re.findall(r'name="(\w+)" value="([^"]*)"', form)) for form in section.split("<form")[1:]]
    assert len(forms) == len(COMMON_FAULTS)
    for form in forms:
        assert notice(press(contoso, "set_fault", **form)[1]).startswith("From now on: the sandbox ")


def test_a_page_that_is_not_there_says_so(contoso):
    assert fetch(contoso, "/control/nowhere/").status == 404


# -- pressing


def test_expiring_a_secret_works_and_is_told(contoso):
    where, html = press(contoso, "expire_secret", client_id=contoso.client_id, key_id=contoso.key_id, back="apps")
    assert where.startswith("/control/apps/")
    assert notice(html) == f"Secret {contoso.secret[:3]}… of Contoso Mail now counts as expired."
    assert contoso.app_token().refusal == (401, "invalid_client", 7000222)


def test_a_new_secrets_value_is_shown_once(contoso):
    where, html = press(contoso, "add_secret", client_id=contoso.client_id, ends_at="2990-01-01", back="apps")
    value = re.search(r'id="shown-once"[^>]*value="([^"]+)"', html)[1]
    assert contoso.app_token(client_secret=value).status == 200
    assert value not in fetch(contoso, where).data.decode()


def test_a_new_secrets_id_stands_beside_its_value_and_stays(contoso):
    where, html = press(contoso, "add_secret", client_id=contoso.client_id, back="apps")
    key_id = contoso.microsoft.world()["apps"][0]["secrets"][-1]["key_id"]
    assert re.search(r'id="its-id"[^>]*value="([^"]+)"', html)[1] == key_id
    assert f"Secret ID <code>{key_id}</code>" in fetch(contoso, where).data.decode()
    assert contoso.app_token(client_secret=key_id).refusal == (401, "invalid_client", 7000215)


def test_an_app_tells_its_ids_and_its_account_types_in_the_portals_words(contoso):
    app = contoso.microsoft.set_app(contoso.client_id, audience="AzureADMultipleOrgs")
    html = fetch(contoso, "/control/apps/").data.decode()
    for text in (app["client_id"], app["object_id"], contoso.directory):
        assert f"<code>{text}</code>" in html
    assert "<dd>Multiple Entra ID tenants</dd>" in html


def boxes(html):
    """Of the delegated permissions: (the ticked ones, all)."""
    found = re.findall(r'name="permissions" value="([^"]+)"( checked)?', html)
    return [name for name, ticked in found if ticked], [name for name, _ in found]


def test_the_permissions_that_are_ticked_are_those_the_app_lists(contoso):
    ticked, every = boxes(fetch(contoso, "/control/apps/").data.decode())
    assert ticked == ["User.Read"]
    for names in (every, ["offline_access", "Mail.Read"], []):
        _, html = press(contoso, "set_required_access", client_id=contoso.client_id, permissions=names, back="apps")
        assert boxes(html)[0] == names
        assert notice(html) == f"Contoso Mail lists {len(names)} delegated permissions now."
    assert "None listed" in html


def test_permissions_without_a_box_are_counted(contoso):
    own = [{"id": APPLICATION["Application.ReadWrite.OwnedBy"], "type": "Role"}]
    listed = [{"resourceAppId": GRAPH, "resourceAccess": own}]
    contoso.microsoft.set_manifest(contoso.client_id, {"requiredResourceAccess": listed})
    html = fetch(contoso, "/control/apps/").data.decode()
    assert "1 permission of another kind or of another API" in html


def test_the_manifest_on_the_page_can_be_saved_as_it_stands(contoso):
    before = contoso.microsoft.manifest(contoso.client_id)
    shown = re.search(r'name="manifest"[^>]*>(.*?)</textarea>', fetch(contoso, "/control/apps/").data.decode(), re.S)[1]
    manifest = unescape(shown).replace("\n", "\r\n")
    assert json.loads(manifest) == before
    _, html = press(contoso, "set_manifest", client_id=contoso.client_id, manifest=manifest, back="apps")
    assert notice(html) == "The manifest of Contoso Mail is saved."
    assert contoso.microsoft.manifest(contoso.client_id) == before


@pytest.mark.parametrize(
    ("verb", "fields", "said"),
    [
        ("revoke_sessions", {"oid": "{oid}"}, "All sessions of Adele Vance are revoked."),
        ("withdraw_consent", {"oid": "{oid}", "client_id": "{client_id}"}, "What Adele Vance granted Contoso Mail is"),
        ("disable_person", {"oid": "{oid}"}, "Adele Vance is disabled."),
        ("enable_person", {"oid": "{oid}"}, "Adele Vance is enabled again."),
        ("set_admin", {"oid": "{oid}", "admin": "true"}, "Adele Vance is an administrator now."),
        ("set_users_may_consent", {"directory": "{directory}", "allowed": "false"}, "People of Contoso need an admin"),
        ("add_person", {"directory": "{directory}", "name": "Lee", "address": "lee@contoso.example"}, "Lee (lee@"),
        ("add_directory", {"name": "Fabrikam", "domain": "fabrikam.example"}, "Fabrikam (fabrikam.example) is a dir"),
        ("add_app", {"directory": "{directory}", "name": "Desk", "redirect_uris": REDIRECT}, "Desk is registered."),
        (
            "set_redirect_uris",
            {"client_id": "{client_id}", "redirect_uris": f"{REDIRECT}\n\n"},
            "Contoso Mail has 1 red",
        ),
        ("remove_secret", {"client_id": "{client_id}", "key_id": "{key_id}"}, "Secret "),
        ("set_fault", {"what": "down", "oid": "{oid}"}, "From now on: the sandbox is down (503) for Adele Vance."),
        ("set_fault", {"what": "down", "number": "50173"}, "From now on: the sandbox refuses with AADSTS50173."),
        (
            "set_fault",
            {"what": "partial", "remove": "Mail.Send"},
            "From now on: the sandbox grants less than",
        ),
        ("set_fault", {"what": "cancel"}, "From now on: the sandbox sends people back from the sign-in pages"),
        (
            "set_managed_policy",
            {"directory": "{directory}", "on": "true"},
            "People of Contoso may consent to what",
        ),
        ("set_approval_workflow", {"directory": "{directory}", "on": "true"}, "People of Contoso can ask"),
        ("set_federated", {"directory": "{directory}", "on": "true"}, "People of Contoso sign in at a server"),
        ("set_app_disabled", {"client_id": "{client_id}", "disabled": "true"}, "Contoso Mail is disabled in every"),
        (
            "set_app_disabled",
            {"client_id": "{client_id}", "directory": "{directory}", "disabled": "true"},
            "Contoso Mail is disabled in Contoso now.",
        ),
        (
            "set_assignment_required",
            {"client_id": "{client_id}", "directory": "{directory}", "required": "true"},
            "In Contoso, only people assigned to it may use Contoso Mail now.",
        ),
        (
            "set_assigned",
            {"client_id": "{client_id}", "oid": "{oid}", "assigned": "true"},
            "Adele Vance is assigned",
        ),
        (
            "set_may_read_grants",
            {"client_id": "{client_id}", "directory": "{directory}", "allowed": "true"},
            "Contoso Mail may read the grants of Contoso through Graph.",
        ),
        (
            "set_may_read_applications",
            {"client_id": "{client_id}", "directory": "{directory}", "allowed": "true"},
            "Contoso Mail may read the apps registered in Contoso through Graph.",
        ),
        (
            "set_owns_itself",
            {"client_id": "{client_id}", "owns": "true"},
            "Contoso Mail owns itself now, and may read its own registration through Graph.",
        ),
        (
            "set_app",
            {"client_id": "{client_id}", "name": "Contoso Post", "audience": "PersonalMicrosoftAccount"},
            "The app is called Contoso Post now, and is for: Personal accounts only.",
        ),
        (
            "set_manifest",
            {"client_id": "{client_id}", "manifest": '{{"displayName": "Contoso Post"}}'},
            "The manifest of Contoso Post is saved.",
        ),
        ("set_mailbox", {"oid": "{oid}", "has": "false"}, "Adele Vance has no mailbox now."),
        ("set_mail", {"oid": "{oid}", "mail": "av@mail.example"}, "Mail to Adele Vance goes to av@mail.example now."),
        (
            "add_person",
            {"directory": "consumers", "name": "Pia", "address": "pia@mail.example"},
            "Pia (pia@",
        ),
        (
            "grant_for_everybody",
            {"client_id": "{client_id}", "directory": "{directory}", "scopes": "Mail.Read"},
            "Contoso Mail may act for everybody in Contoso now.",
        ),
        ("set_spread", {"seconds": "30"}, "The token endpoint knows a consent 30 seconds after the sign-in pages do."),
        ("set_spread", {"seconds": "0"}, "The token endpoint knows a consent at once."),
        ("advance", {"seconds": "3600"}, "The sandbox's clock went forward by 1 hour."),
        ("clear_faults", {}, "All faults are cleared."),
        ("set_trailers", {"style": "lines"}, "The ids at the end of an error's description are set off by lines now."),
        ("advance", {"seconds": "2592000"}, "The sandbox's clock went forward by 30 days."),
        ("real_time", {}, "The sandbox's clock shows real time again."),
    ],
)
def test_each_button_says_what_it_did(contoso, verb, fields, said):
    contoso.granted()
    given = {name: value.format(**vars(contoso)) for name, value in fields.items()}
    assert notice(press(contoso, verb, **given)[1]).startswith(said)


def test_a_fault_can_be_cleared_alone(contoso):
    kept = contoso.microsoft.set_fault("throttled")
    cleared = contoso.microsoft.set_fault("down")
    press(contoso, "clear_fault", id=cleared["id"], back="faults")
    assert contoso.microsoft.world()["faults"] == [kept]


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        ("add_directory", {"name": "Fabrikam", "domain": "no domain"}),
        ("add_directory", {"name": "Contoso again", "domain": "contoso.example"}),
        ("add_person", {"directory": "{directory}", "name": "Lee", "address": "no address"}),
        ("add_person", {"directory": "{directory}", "name": "Adele again", "address": "ADELE@contoso.example"}),
        ("add_app", {"directory": "nobody.example", "name": "Desk"}),
        ("set_redirect_uris", {"client_id": "{client_id}", "redirect_uris": "javascript:alert(1)"}),
        ("set_redirect_uris", {"client_id": "{client_id}", "redirect_uris": "http://elsewhere.example/"}),
        ("add_secret", {"client_id": "{client_id}", "ends_at": "soon"}),
        ("set_app", {"client_id": "{client_id}", "audience": "Everyone"}),
        ("set_required_access", {"client_id": "{client_id}", "permissions": "Mail.Raed"}),
        ("set_manifest", {"client_id": "{client_id}", "manifest": "nonsense"}),
        ("set_may_read_applications", {"client_id": "{client_id}", "directory": "consumers", "allowed": "true"}),
        ("withdraw_consent", {"oid": "{oid}", "client_id": "{client_id}"}),
        ("advance", {"seconds": "-1"}),
        ("set_trailers", {"style": "tabs"}),
        ("disable_person", {}),
        ("add_guest", {"directory": "{directory}", "oid": "{oid}"}),
        ("set_mail", {"oid": "{oid}", "mail": "no address"}),
        ("set_spread", {"seconds": "-1"}),
        ("approve", {"id": "nonsense"}),
        ("set_fault", {"what": "partial", "remove": "Mail.Raed"}),
        ("make_tea", {}),
    ],
)
def test_what_makes_no_sense_changes_nothing_and_says_why(contoso, verb, fields):
    before = {**contoso.microsoft.world(), "now": ""}
    given = {name: value.format(**vars(contoso)) for name, value in fields.items()}
    assert notice(press(contoso, verb, **given)[1])
    assert {**contoso.microsoft.world(), "now": ""} == before


@pytest.mark.parametrize("origin", ["null", "https://elsewhere.example", "http://localhost:8000"])
def test_no_page_elsewhere_can_press_a_button(contoso, origin):
    headers = {"Origin": origin, "Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode({"oid": contoso.oid})
    assert fetch(contoso, "/control/do/disable_person", "POST", body=body, headers=headers).status == 403
    assert fetch(contoso, "/control/do/disable_person", "POST", body=body).status == 403
    assert not contoso.microsoft.world()["people"][0]["disabled"]


# -- the API


@pytest.mark.parametrize("origin", ["null", "https://elsewhere.example"])
def test_the_api_refuses_other_origins(contoso, origin):
    response = api(contoso, "reset", Origin=origin)
    assert response.status == 403
    assert contoso.microsoft.world()["apps"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_the_api_refuses_what_a_foreign_page_could_send_unasked(contoso, kind):
    response = api(contoso, "reset", **{"Content-Type": kind})
    assert (response.status, response.json()) == (400, {"error": "Send the request as application/json."})
    assert contoso.microsoft.world()["apps"]


@pytest.mark.parametrize("path", ["/control/", "/control/api/world"])
def test_control_answers_under_a_loopback_name_only(contoso, path):
    assert fetch(contoso, path, headers={"Host": "elsewhere.example"}).status == 403


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"text"', b"\xff\xfe", b"[" * 100_000, b"x" * 300_000])
def test_a_body_the_api_cannot_use_is_refused_in_a_sentence(contoso, body):
    response = api(contoso, "add_directory", body)
    assert response.status == 400
    assert response.json()["error"].endswith(".")


@pytest.mark.parametrize(
    ("verb", "given", "said"),
    [
        ("add_app", {"directory": 7}, "“directory” must be given, as text."),
        ("add_app", {"directory": "{directory}", "client_id": "my app"}, "The client ID “my app” is not a GUID."),
        ("add_app", {"directory": "{directory}", "audience": "Everyone"}, "“Everyone” is not a sign-in audience."),
        ("add_app", {"directory": "{directory}", "redirect_uris": [1]}, "“redirect_uris” must be a list of texts."),
        ("add_secret", {"client_id": "{client_id}", "ends_at": "tomorrow"}, "“tomorrow” is not a date."),
        (
            "add_person",
            {"directory": "{directory}", "name": "A", "address": "a@b.example", "admin": "perhaps"},
            "“admin”",
        ),
        ("set_admin", {"oid": ["x"]}, "“oid” must be given, as text."),
        ("advance", {"seconds": None}, "“seconds” must be a number."),
        ("advance", {"seconds": 1e308}, "“seconds” must be a number."),
    ],
)
def test_bad_input_is_refused_by_name(contoso, verb, given, said):
    filled = {name: value.format(**vars(contoso)) if isinstance(value, str) else value for name, value in given.items()}
    response = api(contoso, verb, json.dumps(filled).encode())
    assert response.status == 400
    assert response.json()["error"].startswith(said)


def test_naming_something_that_is_not_there_is_a_404(contoso):
    with pytest.raises(Refused, match="There is no app with the client ID"):
        contoso.microsoft.add_secret("f0000000-0000-4000-8000-000000000000")
    assert api(contoso, "make_tea").status == 404


def test_a_secrets_end_is_given_back_as_it_was_meant(contoso):
    made = contoso.microsoft.add_secret(contoso.client_id, "2990-03-31")
    assert (made["ends_at"], made["hint"]) == ("2990-03-31T00:00:00Z", made["value"][:3])


def test_two_apps_may_not_share_a_client_id(contoso):
    with pytest.raises(Refused, match="already"):
        contoso.microsoft.add_app(contoso.directory, client_id=contoso.client_id.upper())
