"""The scope of a token answer: which names, and in which form, as recorded at Entra."""

import pytest

BASIC = {"openid", "profile", "email"}


def names_of(tokens):
    names = tokens["scope"].split()
    assert len(names) == len(set(names))
    return set(names)


def test_offline_access_is_never_named_though_it_is_granted(contoso):
    tokens = contoso.granted(scope=f"openid offline_access {contoso.host}/Mail.Read")
    assert "refresh_token" in tokens
    assert "offline_access" not in names_of(tokens)


def test_basic_sign_in_is_named_though_nobody_asked_for_it(contoso):
    tokens = contoso.granted(scope=f"{contoso.host}/User.Read")
    assert names_of(tokens) == {*BASIC, f"{contoso.host}/User.Read"}
    assert "id_token" not in tokens


def test_names_in_full_come_back_in_full(contoso):
    tokens = contoso.granted(scope=f"openid {contoso.host}/Mail.Read {contoso.host}/Mail.Send")
    assert names_of(tokens) == {*BASIC, f"{contoso.host}/Mail.Read", f"{contoso.host}/Mail.Send"}


def test_names_in_short_come_back_in_short(contoso):
    tokens = contoso.granted(scope="openid offline_access Mail.Read Mail.Send")
    assert names_of(tokens) == {*BASIC, "Mail.Read", "Mail.Send"}


@pytest.mark.parametrize("default", [".default", "{host}/.default"])
def test_default_comes_back_in_full_with_what_it_stands_for_and_itself(contoso, default):
    token = contoso.granted()["refresh_token"]
    tokens = contoso.refresh(token, scope=default.format(host=contoso.host)).body
    assert names_of(tokens) == {*BASIC, f"{contoso.host}/Mail.Read", f"{contoso.host}/.default"}


@pytest.mark.parametrize("name", ["Mail.Read", ".default"])
def test_a_resource_with_a_slash_of_its_own_comes_back_with_two(contoso, name):
    token = contoso.granted()["refresh_token"]
    tokens = contoso.refresh(token, scope=f"openid {contoso.host}//{name}").body
    assert names_of(tokens) == {*BASIC, f"{contoso.host}//Mail.Read", f"{contoso.host}//{name}"}


def test_the_order_is_not_to_be_relied_on(contoso):
    token = contoso.granted()["refresh_token"]
    assert len({contoso.refresh(token).body["scope"] for _ in range(40)}) > 1


def test_everything_consented_before_is_named_too(contoso):
    contoso.granted(scope=f"openid {contoso.host}/Mail.Read")
    tokens = contoso.granted(scope=f"openid {contoso.host}/Mail.Send")
    assert names_of(tokens) == {*BASIC, f"{contoso.host}/Mail.Read", f"{contoso.host}/Mail.Send"}
