import uuid
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils import timezone

from tenants.models import Credential
from tenants.models.credential import LEFT_OUT, check_secret_value
from tests.factories import make_credential, make_registration, make_secret


def test_a_secret_id_is_told_from_a_value() -> None:
    with pytest.raises(ValidationError, match="This is the Secret ID; paste the Value"):
        check_secret_value(str(uuid.uuid4()))


def test_the_placeholder_of_an_export_is_no_value() -> None:
    with pytest.raises(ValidationError, match="This is the placeholder of an export"):
        check_secret_value(LEFT_OUT)


@pytest.mark.parametrize("value", ["tiny42", "with a space in it", "with\na line break"])
def test_what_cannot_be_a_secret_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        check_secret_value(value)
    assert value not in str(caught.value)


def test_a_made_up_value_passes() -> None:
    check_secret_value(make_secret())


@pytest.mark.django_db
def test_a_new_secret_becomes_current_and_the_old_one_previous() -> None:
    registration = make_registration()
    first, second, third = (make_credential(registration) for _ in range(3))
    assert slots() == {first.pk: "", second.pk: "previous", third.pk: "current"}


@pytest.mark.django_db
def test_the_hint_is_what_entra_shows_and_no_more() -> None:
    value = make_secret()
    credential = make_credential(value=value)
    assert credential.hint == value[:3]
    assert credential.value.reveal("test") == value
    assert value not in repr(credential) + str(credential) + str(vars(credential))


@pytest.mark.django_db
def test_a_slot_holds_one() -> None:
    credential = make_credential()
    with pytest.raises(IntegrityError):
        Credential.objects.create(
            registration=credential.registration, slot="current", ends_at=timezone.now() + timedelta(days=1)
        )


@pytest.mark.django_db
def test_a_proposed_secret_signs_in_for_nobody_until_it_is_promoted() -> None:
    registration = make_registration()
    working, ends_at = make_credential(registration), timezone.now() + timedelta(days=90)
    first, second = (Credential.objects.propose(registration, make_secret(), ends_at) for _ in range(2))
    assert slots() == {working.pk: "current", first.pk: "", second.pk: "next"}
    Credential.objects.promote(second)
    assert second.slot == "current"
    assert slots() == {working.pk: "previous", first.pk: "", second.pk: "current"}


def slots() -> dict[uuid.UUID, str]:
    return dict(Credential.objects.values_list("pk", "slot"))
