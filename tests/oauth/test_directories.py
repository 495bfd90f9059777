"""Which directory it is and whose cloud it is in, as the cloud's login host really says."""

from dataclasses import replace

import pytest

from oauth import directories
from oauth.directories import cloud_besides
from oauth.health import NoAnswer
from oauth.http import client_for
from tenants import clouds
from tests.oauth.consenting import make_world
from tests.oauth.verifying import report, states, step

UNKNOWN = "00000000-1111-2222-3333-444444444444"


@pytest.fixture
def directory(microsoft):
    return microsoft.add_directory()


def test_a_directory_that_is_there_is_ok(directory, cloud):
    assert directories.look(cloud, directory["id"]).step.state == "ok"


def test_a_domain_is_told_with_its_id(directory, cloud):
    found = directories.look(cloud, "contoso.example")
    assert found.tid == directory["id"]
    assert directory["id"] in found.step.seen


@pytest.mark.parametrize("named", [UNKNOWN, "nobody.example"])
def test_one_that_is_not_there_is_told_with_microsofts_number(microsoft, cloud, named):
    found = directories.look(cloud, named)
    assert (found.step.state, found.step.codes, found.step.actor) == ("failed", (90002,), "operator")
    assert named in found.step.seen


@pytest.mark.parametrize("named", ["", "a b", "../common", "common", "contoso.example/x"])
def test_what_is_no_directory_is_not_asked_for(microsoft, cloud, named):
    found = directories.look(cloud, named)
    assert (found.step.state, found.refusal.error) == ("failed", "")


def test_of_a_built_in_cloud_the_login_host_is_really_asked(directory, cloud):
    built_in = replace(cloud, built_in=True)
    template = client_for(built_in).get(f"{built_in.authority(UNKNOWN)}/v2.0/.well-known/openid-configuration")
    assert template.status_code == 200
    assert directories.look(built_in, UNKNOWN).step.codes == (90002,)


def test_it_is_asked_anew_each_time(microsoft, directory, cloud):
    directories.look(cloud, directory["id"])
    microsoft.set_fault("down", grant_type="discovery")
    assert isinstance(directories.look(cloud, directory["id"]), NoAnswer)


@pytest.mark.parametrize("what", ["down", "throttled", "html", "empty", "garbage", "drop"])
def test_no_usable_answer_says_nothing_of_the_directory(microsoft, directory, cloud, what):
    microsoft.set_fault(what, grant_type="discovery")
    found = directories.look(cloud, directory["id"])
    assert isinstance(found, NoAnswer)


# Whose cloud

GLOBAL, L4, L5, CHINA = (clouds.cloud(key) for key in ("global", "usgov_l4", "usgov_l5", "china"))
IN_GLOBAL = {"msgraph_host": "graph.microsoft.com", "cloud_instance_name": "microsoftonline.com"}
IN_L4 = {"msgraph_host": "graph.microsoft.us", "cloud_instance_name": "microsoftonline.us"}
IN_CHINA = {"msgraph_host": "microsoftgraph.chinacloudapi.cn", "cloud_instance_name": "partner.microsoftonline.cn"}


@pytest.mark.parametrize(
    ("asked", "document", "belongs"),
    [
        (GLOBAL, IN_GLOBAL, None),
        (GLOBAL, IN_GLOBAL | {"tenant_region_sub_scope": "GCC"}, None),
        (GLOBAL, IN_L4 | {"tenant_region_sub_scope": "DODCON"}, L4),
        (GLOBAL, {"tenant_region_sub_scope": "DOD"}, L5),
        (GLOBAL, IN_L4, L4),
        (GLOBAL, {"cloud_instance_name": "microsoftonline.us"}, L4),
        (GLOBAL, IN_CHINA, CHINA),
        (L4, IN_L4 | {"tenant_region_sub_scope": "DODCON"}, None),
        (L4, IN_L4 | {"tenant_region_sub_scope": "DOD"}, L5),
        (L5, IN_L4 | {"tenant_region_sub_scope": "DODCON"}, L4),
        (L5, {"msgraph_host": "dod-graph.microsoft.us", "cloud_instance_name": "microsoftonline.us"}, None),
        (L5, {"cloud_instance_name": "microsoftonline.us"}, None),
        (L4, IN_GLOBAL, GLOBAL),
        (CHINA, IN_CHINA, None),
        (CHINA, {"cloud_instance_name": "microsoftonline.com"}, GLOBAL),
        (GLOBAL, {}, None),
        (GLOBAL, {"msgraph_host": 7, "tenant_region_sub_scope": ["DOD"]}, None),
    ],
)
def test_a_directory_of_another_cloud_is_known_by_its_document(asked, document, belongs):
    assert cloud_besides(asked, document) == belongs


def test_what_a_proxy_passes_on_is_not_judged():
    proxy = replace(L4, key="proxy", built_in=False, graph_host="graph.example.com")
    assert cloud_besides(proxy, IN_L4 | {"tenant_region_sub_scope": "DODCON"}) is None


# In a report


@pytest.mark.parametrize(("key", "region", "other"), [("usgov_l4", "DOD", "L5"), ("usgov_l5", "DODCON", "L4")])
def test_the_two_us_government_clouds_are_told_apart(db, site_url, microsoft, sandbox, settings, key, region, other):
    settings.EXTRA_CLOUDS = [sandbox.cloud() | {"key": key, "name": "This one"}]
    world = make_world(microsoft, clouds.cloud(key))
    agency = microsoft.add_directory("Agency", "agency.example", region=region)
    type(world.registration).objects.update(directory=agency["id"])
    made = report(world.registration)
    assert (states(made)["directory"], states(made)["sign_in"]) == ("failed", "skipped")
    assert f"US Government {other}" in step(made, "directory")["todo"]
    assert not world.microsoft.token_requests()
