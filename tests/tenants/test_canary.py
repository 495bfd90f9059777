import uuid

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth import get_user_model
from django.db import connection

from tenants.fields import key_ids
from tenants.models import KeyCanary

pytestmark = pytest.mark.django_db


def new_key() -> str:
    return Fernet.generate_key().decode()


def test_one_canary_is_recorded_of_the_key_that_seals():
    KeyCanary.objects.record_current()
    KeyCanary.objects.record_current()
    assert KeyCanary.objects.get().key_id == key_ids()[0] == KeyCanary.objects.get().value.key_id
    assert KeyCanary.objects.unreadable() == []


def test_a_new_first_key_gets_its_own(restart_with, settings):
    KeyCanary.objects.record_current()
    restart_with(new_key(), *settings.FIELD_ENCRYPTION_KEY)
    KeyCanary.objects.record_current()
    assert set(KeyCanary.objects.values_list("key_id", flat=True)) == set(key_ids())
    assert KeyCanary.objects.unreadable() == []


def test_a_process_without_the_key_is_told_which(restart_with):
    KeyCanary.objects.record_current()
    [lost] = key_ids()
    restart_with(new_key())
    assert KeyCanary.objects.unreadable() == [lost]
    KeyCanary.objects.record_current()
    assert KeyCanary.objects.unreadable() == [lost]


def test_a_canary_that_was_tampered_with_is_unreadable():
    KeyCanary.objects.record_current()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tenants_keycanary SET value = 'fake-plain'")
    assert KeyCanary.objects.unreadable() == key_ids()


def test_another_process_that_is_first_is_no_trouble():
    KeyCanary.objects.bulk_create([KeyCanary(key_id=key_ids()[0], value="fake-random")])
    KeyCanary.objects.record_current()
    assert KeyCanary.objects.get().value.reveal("test") == "fake-random"


def test_canaries_are_for_superusers():
    KeyCanary.objects.record_current()
    seen = {}
    for active, superuser in ((True, True), (True, False), (False, True)):
        user = get_user_model()(username=str(uuid.uuid4()), is_active=active, is_superuser=superuser)
        seen[active, superuser] = KeyCanary.objects.visible_to(user).count()
    assert seen == {(True, True): 1, (True, False): 0, (False, True): 0}
