import pytest

from tenants import clouds


def test_the_four_clouds_of_microsoft_are_built_in() -> None:
    assert [key for key, cloud in clouds.clouds().items() if cloud.built_in] == [
        "global",
        "usgov_l4",
        "usgov_l5",
        "china",
    ]


def test_the_two_us_government_clouds_differ_in_graph_alone() -> None:
    l4, l5 = clouds.cloud("usgov_l4"), clouds.cloud("usgov_l5")
    assert l4.login_host == l5.login_host
    assert l4.graph_host != l5.graph_host


def test_an_extra_cloud_comes_from_the_settings(settings) -> None:
    settings.EXTRA_CLOUDS = [
        {"key": "fr", "name": "Sovereign France", "login_host": "login.example.fr", "graph_host": "graph.example.fr"}
    ]
    cloud = clouds.cloud("fr")
    assert cloud.authority("contoso.example") == "https://login.example.fr/contoso.example"
    assert cloud.sign_in_origin == "https://login.example.fr"
    assert not cloud.built_in


def test_a_relative_ca_file_is_meant_from_the_project(settings) -> None:
    settings.EXTRA_CLOUDS = [
        {"key": "x", "name": "X", "login_host": "a:1", "graph_host": "a:1", "ca_file": "var/ca.pem"}
    ]
    assert clouds.cloud("x").ca_file == str(settings.BASE_DIR / "var/ca.pem")


def test_an_unknown_cloud_is_named() -> None:
    with pytest.raises(clouds.UnknownCloud, match="“moon”"):
        clouds.cloud("moon")
