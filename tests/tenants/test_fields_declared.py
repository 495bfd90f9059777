"""How a sealed field is declared, and what the checks say of one that is declared wrongly."""

import uuid

import pytest
from django.core.exceptions import ValidationError
from django.db import models
from django.test.utils import isolate_apps

from tenants.fields import SealedField
from tests.sealing.models import Vault

FIELD = Vault._meta.get_field("secret")
SECRET = "fake-secret"


class Row(models.Model):
    """An abstract base, as a project may have one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)

    class Meta:
        abstract = True

    def __str__(self):
        return "x"


def problems(**fields):
    """IDs of what the checks say of the model's field named secret."""
    attributes = {**fields, "__module__": "tests.sealing.models", "__str__": lambda self: "x"}
    model = type("Declared", (models.Model,), attributes)
    return [message.id for message in model.check() if message.id.startswith("tenants.")]


def key(**options):
    return models.UUIDField(primary_key=True, **{"default": uuid.uuid4, **options})


@isolate_apps("tests.sealing")
def test_a_sealed_field_below_its_uuid_key_is_well_declared():
    assert problems(id=key(), secret=SealedField(place="sealing.declared.secret", null=True)) == []


@isolate_apps("tests.sealing")
def test_a_key_from_an_abstract_base_will_do():
    class Declared(Row):
        secret = SealedField(place="sealing.declared.secret")

        class Meta:
            app_label = "sealing"

    assert Declared.check() == []
    assert Declared(secret=SECRET).secret.reveal("test") == SECRET


@pytest.mark.parametrize("place", ["", "with|bar"])
@isolate_apps("tests.sealing")
def test_a_place_must_be_given(place):
    assert problems(id=key(), secret=SealedField(place=place)) == ["tenants.E001"]


@isolate_apps("tests.sealing")
def test_two_fields_cannot_have_one_place():
    assert problems(id=key(), secret=SealedField(place="twice"), spare=SealedField(place="twice")) == [
        "tenants.E002",
        "tenants.E002",
    ]


@isolate_apps("tests.sealing")
def test_the_key_must_be_a_uuid():
    assert problems(secret=SealedField(place="sealing.declared.secret")) == ["tenants.E003"]


@isolate_apps("tests.sealing")
def test_the_key_must_make_itself():
    assert problems(id=models.UUIDField(primary_key=True), secret=SealedField(place="s")) == ["tenants.E003"]


@isolate_apps("tests.sealing")
def test_the_key_must_stand_above():
    assert problems(secret=SealedField(place="sealing.declared.secret"), id=key()) == ["tenants.E004"]


@pytest.mark.parametrize("option", [{"unique": True}, {"db_index": True}, {"default": "x"}, {"db_default": "x"}])
@isolate_apps("tests.sealing")
def test_nothing_may_compare_or_share_sealed_texts(option):
    assert problems(id=key(), secret=SealedField(place="sealing.declared.secret", **option)) == ["tenants.E005"]


def test_a_migration_keeps_the_place():
    kwargs = {"place": "sealing.vault.secret", "null": True}
    assert FIELD.deconstruct() == ("secret", "tenants.fields.SealedField", [], kwargs)
    assert FIELD.clone().place == FIELD.place


@pytest.mark.django_db
@isolate_apps("tests.sealing")
def test_a_renamed_model_and_field_read_what_they_stored_under_the_old_names():
    vault = Vault.objects.create(name="first", secret=SECRET)

    class Safe(Row):
        password = SealedField(place="sealing.vault.secret", db_column="secret")

        class Meta:
            app_label = "sealing"
            db_table = "sealing_vault"

    assert Safe.objects.get(pk=vault.pk).password.reveal("test") == SECRET


@isolate_apps("tests.sealing")
def test_what_nobody_gave_is_missing_and_not_empty():
    class Declared(Row):
        secret = SealedField(place="sealing.declared.secret")

        class Meta:
            app_label = "sealing"

    assert Declared().secret is None
    with pytest.raises(ValidationError, match="cannot be null"):
        Declared().clean_fields()
