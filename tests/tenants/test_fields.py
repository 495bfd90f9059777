"""What a sealed value is: its text, its keys, its place, and everything that must not open it."""

import base64
import copy
import hashlib
import json
import pickle
import traceback
import uuid

import pytest
from cryptography.fernet import Fernet
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import F, Value
from django.forms.models import model_to_dict
from django.template import Context, Template
from django.test import RequestFactory
from django.views.debug import ExceptionReporter

from tenants.fields import Sealed, SecretUnreadable, key_ids
from tests.sealing.columns import plant, refused, stored
from tests.sealing.models import Vault

pytestmark = pytest.mark.django_db

FIELD = Vault._meta.get_field("secret")
SECRET = "fake-secret|with: every~sign & ünïcode"


@pytest.fixture
def vault() -> Vault:
    return Vault.objects.create(name="first", secret=SECRET, spare="fake-spare-of-the-first")


@pytest.fixture
def other() -> Vault:
    return Vault.objects.create(name="other", secret="fake-secret-of-the-other", spare="fake-spare-of-the-other")


def new_key() -> str:
    return Fernet.generate_key().decode()


def reveal(vault, field="secret"):
    """Read the row again and open its value."""
    return getattr(Vault.objects.get(pk=vault.pk), field).reveal("test")


def assert_unreadable(vault: Vault, *never_shown: str, field: str = "secret") -> str:
    """It raises, names column and row, shows no value, and the column stays as it is. Returns the message."""
    before = stored(vault, field)
    with pytest.raises(SecretUnreadable) as caught:
        reveal(vault, field)
    told = "".join(traceback.format_exception(caught.value))
    assert f"sealing.Vault.{field} of row {vault.pk}" in str(caught.value)
    assert not [text for text in (SECRET, before, *never_shown) if len(text) > 2 and text in told]
    loaded = Vault.objects.get(pk=vault.pk)
    loaded.note = "edited meanwhile"
    loaded.save()
    assert stored(vault, field) == before
    return str(caught.value)


def loaded_with(pk: uuid.UUID, text: str) -> Sealed:
    """The value of a row whose column holds this text."""
    value = Vault.from_db("default", ["id", "secret"], [pk, FIELD.from_db_value(text, None, None)]).secret
    assert value is not None
    return value


# What is stored


def test_a_row_read_again_reveals_what_was_assigned(vault):
    assert reveal(vault) == SECRET
    assert reveal(vault, "spare") == "fake-spare-of-the-first"


def test_no_secret_is_null(vault):
    vault.secret = None
    vault.save()
    assert Vault.objects.get(secret__isnull=True).secret is None
    assert stored(vault) is None


def test_the_text_names_its_key_and_the_token_its_place_and_row(vault, settings):
    key_id, token = stored(vault).split(":")
    [key] = settings.FIELD_ENCRYPTION_KEY
    assert key_id == hashlib.sha256(key.encode()).hexdigest()[:8] == vault.secret.key_id
    assert Fernet(key).decrypt(token).decode() == f"sealing.vault.secret|{vault.pk}|{SECRET}"


def test_a_text_is_sealed_when_it_is_assigned(vault):
    for one in (vault, Vault(secret=SECRET)):
        one.secret = SECRET
        assert isinstance(one.secret, Sealed)
        assert SECRET not in repr(pickle.dumps(vars(one))) + repr(vars(one)) + repr(model_to_dict(one))
        assert one.secret.reveal("test") == SECRET


def test_the_same_text_is_stored_differently_in_each_row_and_field(vault):
    vault.spare = SECRET
    vault.save()
    assert stored(vault) != stored(vault, "spare")


def test_saving_again_changes_no_byte_of_it(vault):
    before = stored(vault)
    Vault.objects.get(pk=vault.pk).save()
    assert stored(vault) == before


def test_an_own_value_can_be_assigned_again(vault):
    vault.secret = Vault.objects.get(pk=str(vault.pk)).secret
    vault.save()
    assert reveal(vault) == SECRET


def test_a_key_given_as_text_is_the_same_row():
    pk = uuid.uuid4()
    vault = Vault.objects.create(id=str(pk).upper(), name="by text", secret=SECRET)
    assert vault.secret.reveal("test") == reveal(vault) == SECRET


# What cannot be assigned


def test_an_empty_text_is_refused_when_assigned(vault):
    with pytest.raises(ValueError, match="sealing.Vault.secret takes no empty text; use None"):
        vault.secret = ""
    with pytest.raises(ValueError, match="use None"):
        Vault(secret="")


@pytest.mark.parametrize("value", [5, b"fake-bytes", F("note"), Value("fake-plain"), ["fake-plain"], object()])
def test_only_a_text_is_sealed(vault, value):
    with pytest.raises(TypeError, match="sealing.Vault.secret takes a text or None, not ") as caught:
        vault.secret = value
    assert "fake" not in str(caught.value)


def test_half_a_character_is_refused_without_showing_the_text(vault):
    with pytest.raises(ValueError, match="half a character") as caught:
        vault.secret = "fake-secret-\ud800"
    assert "fake" not in repr(vars(caught.value)) + str(caught.value)
    assert caught.value.__context__ is None


def test_a_row_needs_its_key_first():
    with pytest.raises(ValueError, match="set the primary key first"):
        Vault(id=None, secret=SECRET)


def test_a_copied_row_takes_no_secret_along(vault):
    vault.pk, vault.name = uuid.uuid4(), "copy"
    with refused(ValueError, "sealed for another place .* assign the text that its reveal"):
        vault.save()
    vault.secret, vault.spare = vault.secret.reveal("copying a row"), None
    vault.save(force_insert=True)
    assert [one.secret.reveal("test") for one in Vault.objects.all()] == [SECRET, SECRET]


def test_a_value_cannot_be_handed_to_another_row_or_field(vault, other):
    with pytest.raises(ValueError, match="sealed for another place"):
        other.secret = vault.secret
    with pytest.raises(ValueError, match="sealed for another place"):
        Vault(secret=vault.secret)
    with pytest.raises(ValueError, match="sealed for another place"):
        vault.spare = vault.secret
    assert other.secret.reveal("test") == "fake-secret-of-the-other"


def test_what_values_gave_cannot_be_handed_to_a_row(vault, other):
    [value] = Vault.objects.filter(pk=vault.pk).values_list("secret", flat=True)
    with pytest.raises(ValueError, match="sealed for another place"):
        other.secret = value
    with pytest.raises(ValueError, match="sealed for another place"):
        Vault(spare=value)
    with refused(SecretUnreadable, "was not sealed for this row"):
        Vault(name="third", secret=value).save()
    with refused(SecretUnreadable, "was not sealed for this row"):
        Vault.objects.bulk_create([Vault(name="third", secret=value)])
    assert Vault.objects.count() == 2


# Keys


def test_another_key_cannot_read_and_buries_nothing(vault, restart_with, settings):
    [key] = settings.FIELD_ENCRYPTION_KEY
    restart_with(new_key())
    assert "is not among FIELD_ENCRYPTION_KEYS" in assert_unreadable(vault)
    restart_with(key)
    assert reveal(vault) == SECRET


def test_the_first_key_seals_and_every_key_opens(vault, restart_with, settings):
    [old], new = settings.FIELD_ENCRYPTION_KEY, new_key()
    restart_with(old, new)
    assert Vault.objects.get(pk=vault.pk).secret.key_id == Vault(secret=SECRET).secret.key_id == key_ids()[0]
    restart_with(new, old)
    assert key_ids() == [hashlib.sha256(key.encode()).hexdigest()[:8] for key in (new, old)]
    assert reveal(vault) == SECRET
    later = Vault.objects.create(name="later", secret="fake-later-secret")
    assert [later.secret.key_id, vault.secret.key_id] == key_ids()
    restart_with(new)
    assert reveal(later) == "fake-later-secret"
    assert_unreadable(vault)


def test_a_value_is_sealed_anew_only_when_it_is_assigned_anew(vault, restart_with, settings):
    [old], new = settings.FIELD_ENCRYPTION_KEY, new_key()
    restart_with(new, old)
    loaded = Vault.objects.get(pk=vault.pk)
    loaded.secret = loaded.secret.reveal("rotating keys")
    loaded.save()
    restart_with(new)
    assert reveal(vault) == SECRET
    assert_unreadable(vault, field="spare")


def test_the_key_a_text_names_must_be_the_one_that_sealed_it(vault, restart_with, settings):
    restart_with(new_key(), *settings.FIELD_ENCRYPTION_KEY)
    plant(vault, f"{key_ids()[0]}:{stored(vault).split(':')[1]}")
    assert_unreadable(vault)


def test_the_packages_own_text_under_our_key_is_refused(vault, settings):
    token = Fernet(settings.FIELD_ENCRYPTION_KEY[0]).encrypt(b"fake-bare-secret").decode()
    for text in (token, f"{key_ids()[0]}:{token}"):
        plant(vault, text)
        assert_unreadable(vault, "fake-bare-secret")


# Tampering


@pytest.mark.parametrize("field", ["secret", "spare"])
def test_texts_swapped_between_rows_are_refused(vault, other, field):
    mine, theirs = stored(vault, field), stored(other, field)
    plant(vault, theirs, field)
    plant(other, mine, field)
    for one in (vault, other):
        told = assert_unreadable(one, "fake-secret-of-the-other", "fake-spare-of-the-other", field=field)
        assert "was not sealed for this row and field" in told


def test_texts_swapped_between_fields_are_refused(vault):
    secret, spare = stored(vault), stored(vault, "spare")
    plant(vault, spare)
    plant(vault, secret, "spare")
    assert_unreadable(vault, "fake-spare-of-the-first")
    assert_unreadable(vault, field="spare")


@pytest.mark.parametrize(
    "text", ["", ":", "fake-plain", "deadbeef:fake-plain", "fake:plain", "ünïcode", "(sealed)", "12345678:"]
)
def test_a_planted_text_is_refused(vault, text):
    plant(vault, text)
    assert_unreadable(vault, "fake-plain")
    assert Vault.objects.get(pk=vault.pk).secret.key_id in ("", "deadbeef", "12345678")


def test_a_planted_text_cannot_pass_as_a_key_id(vault):
    planted = ("hunter2:x", "hunter22:x", "dead:x", "deadbeef", "")
    assert {loaded_with(vault.pk, text).key_id for text in planted} == {""}


def test_a_text_cut_anywhere_is_refused(vault):
    whole = stored(vault)
    plant(vault, whole[:-1])
    assert_unreadable(vault)
    for length in range(len(whole)):
        with pytest.raises(SecretUnreadable):
            loaded_with(vault.pk, whole[:length]).reveal("test")


def test_a_text_with_any_byte_changed_is_refused(vault):
    whole = stored(vault)
    plant(vault, whole[:-3] + chr(ord(whole[-3]) ^ 1) + whole[-2:])
    assert_unreadable(vault)
    for at, byte in enumerate(whole):
        for bit in range(7):
            with pytest.raises(SecretUnreadable):
                loaded_with(vault.pk, whole[:at] + chr(ord(byte) ^ 1 << bit) + whole[at + 1 :]).reveal("test")


def test_another_spelling_of_the_same_bytes_is_refused(vault):
    key_id, token = stored(vault).split(":")
    same = base64.urlsafe_b64decode(token)
    for spelling in (token + "\n", f" {token}", f"{token[:8]}!{token[8:]}", token + "=="):
        assert base64.urlsafe_b64decode(spelling) == same
        with pytest.raises(SecretUnreadable):
            loaded_with(vault.pk, f"{key_id}:{spelling}").reveal("test")


def test_no_frame_of_a_refusal_holds_the_text_that_was_opened(vault, other):
    plant(vault, stored(other))
    with pytest.raises(SecretUnreadable) as caught:
        reveal(vault)
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    assert "fake-secret-of-the-other" not in "".join(told)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "seal", [lambda text: setattr(Vault(id=None), "secret", text), lambda text: FIELD.seal(None, text)]
)
def test_an_error_report_hides_the_text_that_could_not_be_sealed(seal):
    with pytest.raises(ValueError, match="primary key first") as caught:
        seal(SECRET)
    frames = ExceptionReporter(RequestFactory().get("/"), *caught._excinfo).get_traceback_frames()
    ours = [repr(frame["vars"]) for frame in frames if frame["filename"].endswith("tenants/fields.py")]
    assert len(ours) >= 2
    assert not [shown for shown in ours if "fake-secret" in shown]


# What a value shows


def test_a_value_shows_nothing(vault):
    sealed = Vault.objects.get(pk=vault.pk).secret
    shown = [str(sealed), repr(sealed), f"{sealed}", f"{sealed:>40}", f"{sealed!r}", "%s" % sealed, "{}".format(sealed)]  # noqa: UP031, UP032
    assert set(shown) == {"(sealed)"}
    assert repr([sealed]) == "[(sealed)]"


def test_a_template_shows_nothing(vault):
    template = Template("{{ vault.secret }} {{ vault.secret.reveal }} {{ vault.secret|length }}")
    assert template.render(Context({"vault": vault})) == "(sealed)  0"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_copy_is_as_sealed_as_the_value(vault, again):
    for value in (again(vault.secret), again(vault).secret, again(Vault.objects.filter(pk=vault.pk))[0].secret):
        assert value == vault.secret
        assert str(value) == "(sealed)"
        assert value.reveal("test") == SECRET


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_holds_no_text(vault, protocol):
    loaded = Vault.objects.get(pk=vault.pk)
    rows = Vault.objects.all()
    assert len(rows) == 1
    for what in (loaded, loaded.secret, rows, [loaded.secret]):
        pickled = pickle.dumps(what, protocol=protocol)
        assert not [text for text in (SECRET, "with: every~sign", "fake-spare-of") if text.encode() in pickled]


@pytest.mark.parametrize("encoder", [json.JSONEncoder, DjangoJSONEncoder])
def test_json_refuses_a_value(vault, encoder):
    for what in (vault.secret, {"secret": vault.secret}, model_to_dict(vault)):
        with pytest.raises(TypeError, match="not JSON serializable"):
            json.dumps(what, cls=encoder)


def test_values_are_equal_when_they_are_stored_alike(vault):
    loaded = Vault.objects.get(pk=vault.pk)
    assert loaded.secret == vault.secret
    assert len({loaded.secret, vault.secret}) == 1
    assert loaded.secret != loaded.spare
    assert loaded.secret != SECRET
    assert loaded.secret
    loaded.secret = SECRET
    assert loaded.secret != vault.secret


@pytest.mark.parametrize("purpose", ["", "  ", None, 5])
def test_reveal_asks_what_for(vault, purpose):
    with pytest.raises(ValueError, match="what the secret is needed for"):
        vault.secret.reveal(purpose)
    with pytest.raises(TypeError):
        vault.secret.reveal()
