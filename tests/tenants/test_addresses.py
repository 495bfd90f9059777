"""Email addresses: which texts are some, and how a list of them is typed."""

import pytest

from tenants.addresses import LONGEST, is_address
from tenants.models.addresses import AddressesFormField

DOMAINS = ".".join(["a" * 60] * 4)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("ada@contoso.example", True),
        ("ada", False),
        ("", False),
        ("a" * (LONGEST - len(DOMAINS) - 1) + "@" + DOMAINS, True),
        ("a" * (LONGEST - len(DOMAINS)) + "@" + DOMAINS, False),
    ],
)
def test_an_address_is_one_that_a_mail_can_be_sent_to(text, is_one) -> None:
    assert is_address(text) is is_one


@pytest.mark.parametrize(
    ("typed", "addresses"),
    [
        ("a@x.example\r\nb@x.example", ["a@x.example", "b@x.example"]),
        ("a@x.example, b@x.example;c@x.example ;", ["a@x.example", "b@x.example", "c@x.example"]),
        ("not an address\n\n", ["not an address"]),
    ],
)
def test_a_list_is_parted_at_lines_commas_and_semicolons_only(typed, addresses) -> None:
    assert AddressesFormField().to_python(typed) == addresses
