"""Every way the ORM has to write, read and look up a column, with a sealed one."""

import uuid

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import FieldError
from django.db import connection, models, transaction
from django.db.models import Case, CharField, Exists, F, Max, OuterRef, Q, Subquery, TextField, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Coalesce, Concat, Length
from django.test.utils import register_lookup

from tenants.fields import Sealed, SecretUnreadable
from tests.sealing.columns import plant, refused, stored
from tests.sealing.models import Vault

pytestmark = pytest.mark.django_db

FIELD = Vault._meta.get_field("secret")
SPARE = Vault._meta.get_field("spare")


@pytest.fixture
def vaults() -> list[Vault]:
    return [Vault.objects.create(name=name, note="fake-note", secret=f"fake-secret-{name}") for name in "abc"]


def secrets():
    """What each row reveals when it is read again."""
    return {vault.name: vault.secret and vault.secret.reveal("test") for vault in Vault.objects.order_by("name")}


AS_THEY_WERE = {name: f"fake-secret-{name}" for name in "abc"}


# Writing


def test_create_save_and_save_of_one_column_store_it(vaults):
    first = vaults[0]
    first.secret, first.note = "fake-new", "not stored"
    first.save(update_fields=["secret"])
    assert secrets() == {**AS_THEY_WERE, "a": "fake-new"}
    assert Vault.objects.get(name="a").note == "fake-note"


def test_saving_another_column_leaves_it_alone(vaults):
    before = stored(vaults[0])
    vaults[0].note, vaults[0].secret = "new", "fake-not-stored"
    vaults[0].save(update_fields=["note"])
    assert stored(vaults[0]) == before


def test_update_or_create_and_get_or_create_seal_their_defaults(vaults):
    Vault.objects.update_or_create(name="a", defaults={"secret": "fake-new"})
    Vault.objects.update_or_create(name="d", defaults={"note": "x"}, create_defaults={"secret": "fake-secret-d"})
    Vault.objects.get_or_create(name="e", defaults={"secret": "fake-secret-e"})
    assert secrets() == {**AS_THEY_WERE, "a": "fake-new", "d": "fake-secret-d", "e": "fake-secret-e"}


def test_bulk_create_stores_each_rows_own():
    Vault.objects.bulk_create([Vault(name=name, secret=f"fake-secret-{name}") for name in "abc"])
    Vault.objects.bulk_create([Vault(name="d")])
    assert secrets() == {**AS_THEY_WERE, "d": None}


def test_bulk_update_stores_each_rows_own(vaults):
    for vault in vaults:
        vault.secret, vault.note = f"fake-new-{vault.name}", vault.name
    vaults[1].secret = None
    assert Vault.objects.bulk_update(vaults, ["secret", "note"]) == 3
    assert secrets() == {"a": "fake-new-a", "b": None, "c": "fake-new-c"}
    assert Vault.objects.filter(note=F("name")).count() == 3


def in_one_update(vault: Vault) -> None:
    Vault.objects.filter(pk=vault.pk).update(secret=Sealed.for_row(vault, FIELD, "fake-new"))


def in_bulk(vault: Vault) -> None:
    vault.secret = "fake-new"
    Vault.objects.bulk_update([vault], ["secret"])


def as_a_new_row(vault: Vault) -> None:
    Vault.objects.filter(pk=vault.pk).delete()
    Vault.objects.bulk_create([Vault(id=vault.pk, name=vault.name, secret="fake-new")])


@pytest.mark.parametrize("write", [in_one_update, in_bulk, as_a_new_row, Vault.save])
def test_whatever_writes_it_a_text_opens_in_its_own_row_only(vaults, write):
    a, b, _ = vaults
    write(a)
    plant(b, stored(a))
    with pytest.raises(SecretUnreadable):
        secrets()
    assert Vault.objects.get(name="a").secret.reveal("test") in ("fake-new", "fake-secret-a")


def test_bulk_update_of_what_was_loaded_changes_no_byte(vaults):
    before = [stored(vault) for vault in vaults]
    Vault.objects.bulk_update(Vault.objects.all(), ["secret"], batch_size=2)
    assert [stored(vault) for vault in vaults] == before


def test_bulk_update_refuses_a_row_that_took_anothers_key(vaults):
    a, b, _ = vaults
    a.pk = b.pk
    with refused(TypeError, "must be sealed for its row"):
        Vault.objects.bulk_update([a], ["secret"])
    assert secrets() == AS_THEY_WERE


def test_update_with_a_text_is_refused_and_names_the_way_out(vaults):
    with refused(TypeError, r"Vault.secret .* hand update\(\) what Sealed.for_row\(row, field, text\)") as caught:
        Vault.objects.filter(name="a").update(secret="fake-plain")
    assert "fake" not in str(caught.value)
    assert secrets() == AS_THEY_WERE


@pytest.mark.parametrize(
    "sealed",
    [
        lambda row: Sealed.for_row(row, FIELD, "fake-new"),
        lambda row: Sealed.for_row(row.pk, FIELD, "fake-new"),
        lambda row: Sealed.for_row(str(row.pk), FIELD, "fake-new"),
        lambda row: FIELD.seal(row.pk, "fake-new"),
        lambda row: Value(FIELD.seal(row.pk, "fake-new"), output_field=FIELD),
        lambda row: Case(When(pk=row.pk, then=Value(FIELD.seal(row.pk, "fake-new"), output_field=FIELD))),
    ],
)
def test_update_stores_what_was_sealed_for_its_row(vaults, sealed):
    assert Vault.objects.filter(pk=vaults[0].pk).update(secret=sealed(vaults[0]), note="new") == 1
    assert secrets() == {**AS_THEY_WERE, "a": "fake-new"}


def test_update_can_choose_by_row_and_leave_the_others(vaults):
    a, b, _ = vaults
    new = [When(pk=row.pk, then=Value(FIELD.seal(row.pk, "fake-new"), output_field=FIELD)) for row in (a, b)]
    Vault.objects.update(secret=Case(*new, default=F("secret")))
    assert secrets() == {"a": "fake-new", "b": "fake-new", "c": "fake-secret-c"}


def test_update_can_remove_a_secret(vaults):
    Vault.objects.filter(name="a").update(secret=None)
    Vault.objects.filter(name="b").update(secret=Value(None))
    assert secrets() == {"a": None, "b": None, "c": "fake-secret-c"}


def sealed_for(row, field=FIELD, output=FIELD):
    return Value(Sealed.for_row(row, field, "fake-sealed"), output_field=output)


FOREIGN = {
    "plain text": lambda a, b: "fake-plain",
    "the row's own ciphertext": lambda a, b: stored(a),
    "a number": lambda a, b: 5,
    "Value of a plain text": lambda a, b: Value("fake-plain"),
    "Value of a plain text, as this field": lambda a, b: Value("fake-plain", output_field=FIELD),
    "Value of a ciphertext": lambda a, b: Value(stored(a)),
    "another column": lambda a, b: F("note"),
    "another sealed column": lambda a, b: F("spare"),
    "another row": lambda a, b: Subquery(Vault.objects.filter(pk=b.pk).values("secret")[:1]),
    "another column, by a subquery": lambda a, b: Subquery(Vault.objects.filter(pk=OuterRef("pk")).values("note")[:1]),
    "SQL": lambda a, b: RawSQL("note", []),
    "Concat": lambda a, b: Concat("secret", "note"),
    "Coalesce with a plain text": lambda a, b: Coalesce("secret", Value("fake-plain")),
    "Coalesce of sealed columns": lambda a, b: Coalesce("spare", "secret"),
    "Cast of another column": lambda a, b: Cast("note", FIELD),
    "Cast that cuts": lambda a, b: Cast(sealed_for(a), CharField(max_length=9)),
    "Case of a plain text": lambda a, b: Case(When(pk=a.pk, then=Value("fake-plain")), default=F("secret")),
    "Case of another column": lambda a, b: Case(When(pk=a.pk, then=F("note"))),
    "Case with a plain default": lambda a, b: Case(default=Value("fake-plain")),
    "Case with a sealed default": lambda a, b: Case(default=sealed_for(a)),
    "Case of another row's": lambda a, b: Case(When(pk=a.pk, then=sealed_for(b))),
    "Case of every row but its own": lambda a, b: Case(When(~Q(pk=a.pk), then=sealed_for(a))),
    "Case of a row by its name": lambda a, b: Case(When(name="a", then=sealed_for(a))),
    "Case of two rows": lambda a, b: Case(When(Q(pk=a.pk) | Q(name="b"), then=sealed_for(a))),
    "sealed for another field": lambda a, b: Sealed.for_row(a, SPARE, "fake-sealed"),
    "Value sealed for another field": lambda a, b: sealed_for(a, SPARE),
    "Value of another field": lambda a, b: sealed_for(a, SPARE, SPARE),
    "Value of no field": lambda a, b: sealed_for(a, FIELD, None),
    "Value of a bare text field": lambda a, b: sealed_for(a, FIELD, TextField()),
    "what values() gave": lambda a, b: Vault.objects.values_list("secret", flat=True)[0],
    "Value of what values() gave": lambda a, b: Value(Vault.objects.values_list("secret", flat=True)[0], FIELD),
}


@pytest.mark.parametrize("foreign", FOREIGN)
def test_update_refuses_what_was_not_sealed_for_its_row(vaults, foreign):
    with refused(TypeError, "must be sealed for its row") as caught:
        Vault.objects.filter(name="a").update(secret=FOREIGN[foreign](*vaults[:2]))
    assert "fake" not in str(caught.value)
    assert secrets() == AS_THEY_WERE


def test_an_upsert_that_meets_rows_by_another_key_is_refused(vaults):
    rows = [Vault(name="a", secret="fake-new"), Vault(name="d")]
    with refused(TypeError, "cannot be written by an upsert"):
        Vault.objects.bulk_create(rows, update_conflicts=True, unique_fields=["name"], update_fields=["secret"])
    assert secrets() == AS_THEY_WERE


def test_an_upsert_by_primary_key_stores_each_rows_own(vaults):
    rows = [Vault(id=vaults[0].pk, name="a", secret="fake-new"), Vault(name="d", secret="fake-secret-d")]
    Vault.objects.bulk_create(rows, update_conflicts=True, unique_fields=["pk"], update_fields=["secret"])
    assert secrets() == {**AS_THEY_WERE, "a": "fake-new", "d": "fake-secret-d"}


def test_an_upsert_of_other_columns_leaves_it_alone(vaults):
    rows = [Vault(name="a", note="new", secret="fake-new"), Vault(name="d", secret="fake-secret-d")]
    Vault.objects.bulk_create(rows, update_conflicts=True, unique_fields=["name"], update_fields=["note"])
    Vault.objects.bulk_create([Vault(name="b", secret="fake-new")], ignore_conflicts=True)
    assert secrets() == {**AS_THEY_WERE, "d": "fake-secret-d"}
    assert Vault.objects.get(name="a").note == "new"


def test_preparing_for_the_database_twice_seals_once(vaults):
    sealed = vaults[0].secret
    once = FIELD.get_db_prep_save(sealed, connection)
    assert once == stored(vaults[0])
    assert FIELD.get_db_prep_save(once, connection) == FIELD.get_prep_value(once) == once
    assert FIELD.get_db_prep_save(None, connection) is None


# Reading


def test_every_way_to_load_a_row_gives_its_own_value(vaults):
    a = vaults[0]
    Vault.objects.filter(pk=a.pk).update(secret=Sealed.for_row(a, FIELD, "fake-new"))
    a.refresh_from_db()
    with transaction.atomic():
        locked = Vault.objects.select_for_update().get(pk=a.pk)
    ways = [
        a,
        locked,
        Vault.objects.defer("secret").get(pk=a.pk),
        Vault.objects.only("secret").get(pk=a.pk),
        Vault.objects.only("name").get(pk=a.pk),
        Vault.objects.in_bulk([a.pk])[a.pk],
        next(Vault.objects.filter(pk=a.pk).iterator()),
        Vault.objects.raw("SELECT secret, id FROM sealing_vault WHERE name = 'a'")[0],
        Vault.objects.filter(pk=a.pk).union(Vault.objects.none())[0],
        Vault.objects.filter(Exists(Vault.objects.filter(pk=OuterRef("pk"), name="a"))).get(),
    ]
    assert [way.secret.reveal("test") for way in ways] == ["fake-new"] * len(ways)


def test_a_list_page_opens_nothing(vaults, restart_with):
    restart_with(Fernet.generate_key().decode())  # what cannot be opened can still be listed
    assert [str(vault.secret) for vault in Vault.objects.all()] == ["(sealed)"] * 3


def test_a_deferred_value_can_be_replaced(vaults):
    deferred = Vault.objects.only("name").get(name="a")
    deferred.secret = "fake-new"
    deferred.save()
    assert secrets() == {**AS_THEY_WERE, "a": "fake-new"}


@pytest.mark.parametrize(
    "read",
    [
        lambda: Vault.objects.values("secret")[0]["secret"],
        lambda: Vault.objects.values_list("secret", "name")[0][0],
        lambda: Vault.objects.values_list("secret", flat=True)[0],
        lambda: Vault.objects.values_list("secret", named=True)[0].secret,
        lambda: Vault.objects.annotate(again=F("secret"))[0].again,
        lambda: Vault.objects.annotate(again=Subquery(Vault.objects.values("secret")[:1]))[0].again,
        lambda: Vault.objects.aggregate(most=Max("secret"))["most"],
        lambda: Vault.objects.annotate(again=Coalesce("secret", "spare"))[0].again,
    ],
)
def test_a_value_without_its_row_stays_sealed(vaults, read):
    value = read()
    assert isinstance(value, Sealed)
    assert str(value) == "(sealed)"
    with pytest.raises(SecretUnreadable, match="sealing.Vault.secret came without its row .* Load the row"):
        value.reveal("test")


@pytest.mark.parametrize(
    "expression",
    [Cast("secret", TextField()), Concat("secret", Value(""), output_field=TextField()), RawSQL("secret", [])],
)
def test_what_the_database_makes_of_it_holds_no_text(vaults, expression):
    rows = Vault.objects.values("name").annotate(made=expression).values_list("made", flat=True)
    assert not [made for made in rows if "fake-secret" in str(made)]


# Looking up

NO_LOOKUP = "^(Unsupported lookup '[a-z_]+' for SealedField|.*Join on 'secret' not permitted)"
LOOKUPS = ["exact", "iexact", "contains", "icontains", "startswith", "endswith", "gt", "gte", "lt", "lte", "regex"]


@pytest.mark.parametrize("lookup", [*LOOKUPS, "in", "range", "length", "date", "nonsense"])
def test_no_lookup_works(vaults, lookup):
    rhs = ["fake-secret-a", "fake-secret-b"] if lookup in ("in", "range") else "fake-secret-a"
    for method in (Vault.objects.filter, Vault.objects.exclude, Vault.objects.get):
        with pytest.raises(FieldError, match=NO_LOOKUP) as caught:
            method(**{f"secret__{lookup}": rhs})
        assert "fake" not in str(caught.value)


@pytest.mark.parametrize(
    "look",
    [
        lambda: Vault.objects.filter(secret="fake-secret-a"),
        lambda: Vault.objects.filter(secret=None),
        lambda: Vault.objects.filter(secret=F("note")),
        lambda: Vault.objects.filter(~Q(secret="fake-secret-a") | Q(name="a")),
        lambda: Vault.objects.get_or_create(secret="fake-secret-a"),
        lambda: Vault.objects.update_or_create(secret="fake-secret-a"),
        lambda: Vault.objects.annotate(again=F("secret")).filter(again="fake-secret-a"),
        lambda: Vault.objects.alias(most=Max("secret")).filter(most__gt="a"),
        lambda: Vault.objects.annotate(hit=Case(When(secret="fake-secret-a", then=1), default=0)),
        lambda: Vault.objects.filter(models.Exists(Vault.objects.filter(secret=OuterRef("secret")))),
    ],
)
def test_no_query_asks_for_its_text(vaults, look):
    with pytest.raises(FieldError, match=NO_LOOKUP):
        list(look())
    assert Vault.objects.count() == 3


@pytest.mark.parametrize(
    "look",
    [
        lambda: Vault.objects.filter(secret__length=9),
        lambda: Vault.objects.filter(secret__length__gt=9),
        lambda: Vault.objects.order_by("secret__length"),
        lambda: Vault.objects.values("secret__length"),
    ],
)
def test_a_transform_that_all_texts_have_does_not_work(vaults, look):
    with register_lookup(TextField, Length), pytest.raises(FieldError, match=NO_LOOKUP):
        list(look())


def test_whether_there_is_one_can_be_asked(vaults):
    Vault.objects.create(name="none")
    assert Vault.objects.filter(secret__isnull=False).count() == 3
    assert Vault.objects.exclude(secret__isnull=False).get().name == "none"


def test_sorting_and_telling_apart_is_senseless_but_reveals_nothing(vaults):
    assert Vault.objects.order_by("secret").count() == 3
    assert {str(value) for value in Vault.objects.order_by("secret").values_list("secret", flat=True).distinct()} == {
        "(sealed)"
    }
    assert Vault.objects.annotate(length=Length("secret")).first().length > len("fake-secret-a")


def test_one_unreadable_row_does_not_stop_the_others(vaults):
    plant(vaults[1], "fake-planted")
    loaded = list(Vault.objects.order_by("name"))
    assert [loaded[at].secret.reveal("test") for at in (0, 2)] == ["fake-secret-a", "fake-secret-c"]
    with pytest.raises(SecretUnreadable):
        loaded[1].secret.reveal("test")
    Vault.objects.bulk_update(loaded, ["secret", "note"])
    assert stored(vaults[1]) == "fake-planted"


def test_a_row_can_be_given_its_key_by_the_name_of_the_field():
    chosen = uuid.uuid4()
    Vault.objects.create(id=chosen, name="a", secret="fake-secret-a")
    assert Vault.objects.get(pk=chosen).secret.reveal("test") == "fake-secret-a"


def test_a_row_built_with_pk_is_refused_for_django_sets_that_last():
    with refused(ValueError, "name the key field instead of pk"):
        Vault.objects.create(pk=uuid.uuid4(), name="a", secret="fake-secret-a")
