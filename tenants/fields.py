"""Secrets in the database: sealed as they are assigned, opened by `reveal()` alone. Only this module sees a key.

A sealed text is `<key ID>:<Fernet token>`, and in the token stands `<place>|<row>|<secret>`. So a text that was cut,
written by hand, or moved here from another row or field is refused, where Fernet alone would return it.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django import forms
from django.core.checks import CheckMessage, Error
from django.db import models
from django.db.models.expressions import Case, Col, Value
from django.db.models.functions import Cast
from django.db.models.lookups import Exact, IsNull
from django.db.models.query_utils import DeferredAttribute
from django.db.models.sql.where import WhereNode
from django.views.decorators.debug import sensitive_variables
from encrypted_model_fields import fields as package

if TYPE_CHECKING:  # the package has no types
    EncryptedTextField = models.Field["Sealed | str | None", "Sealed | None"]
else:
    EncryptedTextField = package.EncryptedTextField


def key_ids() -> list[str]:
    """IDs of our keys: the first seals, all open. The package reads its keys once, so a change takes a restart."""
    return list(_keys())


def _keys() -> dict[str, Fernet]:
    # The package keeps no key, only what it built of them; a list of our own could come to differ from it.
    return _keys_of(package.CRYPTER)


@lru_cache(maxsize=1)
def _keys_of(crypter: MultiFernet) -> dict[str, Fernet]:
    raw = ((fernet, fernet._signing_key + fernet._encryption_key) for fernet in crypter._fernets)
    return {sha256(urlsafe_b64encode(key)).hexdigest()[:8]: fernet for fernet, key in raw}


def _open(text: str, place: str, row: UUID) -> str | None:
    """The secret, or None where this text is not what one of our keys sealed for this place and row."""
    key_id, _, token = text.partition(":")
    try:
        # Base64 has several spellings of the same bytes; only the one we wrote is ours.
        if urlsafe_b64encode(urlsafe_b64decode(token)).decode() != token:
            return None
        secret = _keys()[key_id].decrypt(token).decode()
    except (KeyError, InvalidToken, ValueError):
        return None
    prefix = f"{place}|{row}|"
    return secret.removeprefix(prefix) if secret.startswith(prefix) else None


class SecretUnreadable(Exception):
    """A stored secret cannot be opened. Names the column and the row, never what is stored there."""


class Sealed:
    """A secret as it is stored. Shows nothing, compares as the stored text, and is opened by `reveal()`."""

    __slots__ = ("_column", "_place", "_row", "_text")

    def __init__(self, text: str, *, place: str, column: str, row: UUID | None = None) -> None:
        self._text = text
        self._place = place
        self._column = column
        self._row = row

    @classmethod
    def for_row(cls, row: models.Model | UUID | str, field: "SealedField", text: str) -> "Sealed":
        """Text sealed for one row, for `update()`, which does not know whose value it stores."""
        return field.seal(row.pk if isinstance(row, models.Model) else row, text)

    @property
    def key_id(self) -> str:
        """Which key sealed this, by its own account; empty where it was not sealed at all."""
        key_id, colon, _ = self._text.partition(":")
        return key_id if colon and len(key_id) == 8 and set(key_id) <= set("0123456789abcdef") else ""

    def reveal(self, purpose: str) -> str:
        """The secret. Say what it is needed for; raises SecretUnreadable."""
        if not isinstance(purpose, str) or not purpose.strip():
            raise ValueError("reveal() wants to know what the secret is needed for.")
        if self._row is None:
            raise SecretUnreadable(
                f"{self._column} came without its row (from values() or an expression), so nobody can say whose it is. "
                "Load the row and reveal its field."
            )
        secret = _open(self._text, self._place, self._row)
        if secret is None:
            raise SecretUnreadable(f"{self._column} of row {self._row} cannot be read: {self._trouble()}")
        return secret

    def _trouble(self) -> str:
        if self.key_id and self.key_id not in key_ids():
            return "the key that sealed it is not among FIELD_ENCRYPTION_KEYS. Put that key back and restart."
        return "it is damaged, or was not sealed for this row and field. Enter the secret again."

    def __repr__(self) -> str:
        return "(sealed)"

    def __format__(self, spec: str) -> str:
        return "(sealed)"

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Sealed) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)


class _StoredText(str):
    """What goes into the column; known by its type, so that preparing it twice is not sealing it twice."""

    __slots__ = ()


class _SealAtAssignment(DeferredAttribute):
    field: "SealedField"

    @sensitive_variables()
    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = self.field.own(instance, value)


# What a fixture brings becomes this, for Django prints whatever to_python() refuses; assigning it is refused instead.
_FROM_OUTSIDE: Final = object()


class SealedField(EncryptedTextField):
    """A text that is stored sealed for its row. Assign text or None, read Sealed or None, look up nothing but isnull.

    The model needs a UUID primary key with a default, declared above. `place` is sealed into every value: choose it
    once, as "app.model.field", and never change it, whatever is renamed.
    """

    descriptor_class = _SealAtAssignment
    empty_strings_allowed = False

    def __init__(self, *args: Any, place: str = "", **kwargs: Any) -> None:
        self.place = place
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "place": self.place}

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        return [*super().check(**kwargs), *self._check_place(), *self._check_row()]

    def _check_place(self) -> list[CheckMessage]:
        if not self.place or "|" in self.place:
            hint = 'Give it place="app.model.field", for good, without a "|".'
            return [Error("A sealed field needs a place.", hint=hint, obj=self, id="tenants.E001")]
        fields = chain.from_iterable(model._meta.local_fields for model in self.model._meta.apps.get_models())
        if any(isinstance(field, SealedField) and field.place == self.place for field in fields if field is not self):
            hint = "Give each its own: values could be swapped between fields of one place."
            return [Error(f"Another field has the place {self.place!r}.", hint=hint, obj=self, id="tenants.E002")]
        return []

    def _check_row(self) -> list[CheckMessage]:
        this: Any = self  # the stubs do not know all that a field has
        pk, fields = self.model._meta.pk, self.model._meta.concrete_fields
        errors: list[CheckMessage] = []
        if not isinstance(pk, models.UUIDField) or not pk.has_default():
            hint = "Values are sealed before their row is stored: use UUIDField(primary_key=True, default=uuid4)."
            errors.append(Error("A sealed field needs a UUID primary key.", hint=hint, obj=self, id="tenants.E003"))
        elif fields.index(pk) > fields.index(this):
            hint = "Fields are set in their order, and a value is sealed for its row when it is set."
            errors.append(Error("Declare the primary key above.", hint=hint, obj=self, id="tenants.E004"))
        if this.unique or this.db_index or this.has_default() or this.has_db_default():
            hint = "The same secret is stored differently each time and belongs to one row."
            message = "A sealed field has no unique, db_index or default."
            errors.append(Error(message, hint=hint, obj=self, id="tenants.E005"))
        return errors

    # Sealing, and whose it is

    @sensitive_variables()
    def seal(self, pk: UUID | str | None, text: str) -> Sealed:
        """Text sealed for the row of this primary key, stored or not, and for no other."""
        if not isinstance(text, str):
            raise TypeError(f"{self} takes a text or None, not {type(text).__name__}.")
        if not text:
            raise ValueError(f"{self} takes no empty text; use None for no secret.")
        if text.encode(errors="ignore").decode() != text:  # encode() itself would raise with the text inside
            raise ValueError(f"{self} takes no text with half a character in it (a lone surrogate).")
        row = self._row(pk)
        token = package.encrypt_str(f"{self.place}|{row}|{text}").decode()
        return Sealed(f"{key_ids()[0]}:{token}", place=self.place, column=str(self), row=row)

    def own(self, instance: models.Model, value: Any) -> Sealed | None:
        """What the instance holds when this value is assigned to it."""
        if value is None:
            return None
        if value is _FROM_OUTSIDE:
            raise TypeError(f"{self} is not loaded from fixtures. Leave it out there and enter the secret again.")
        if not isinstance(value, Sealed):
            return self.seal(instance.pk, value)
        row = self._row(instance.pk)
        if value._row is None and value._place == self.place and self.attname not in instance.__dict__:
            return Sealed(value._text, place=self.place, column=str(self), row=row)  # the row is being loaded
        self._refuse_foreign(value, row)
        return value

    def _refuse_foreign(self, sealed: Sealed, row: UUID) -> None:
        if (sealed._place, sealed._row) != (self.place, row):
            raise ValueError(
                f"{self} of row {row} takes no secret sealed for another place ({sealed._column} of row "
                f"{sealed._row or 'unknown'}). To copy a secret, assign the text that its reveal() returns; to build a "
                "row with a key of your choice, name the key field instead of pk, which Django sets last."
            )

    def _row(self, pk: UUID | str | None) -> UUID:
        if pk is None:
            raise ValueError(f"{self} is sealed for its row: set the primary key first.")
        row: UUID = self.model._meta.pk.to_python(pk)
        return row

    # Into the database and out of it

    def from_db_value(self, value: str | None, *args: Any) -> Sealed | None:
        return None if value is None else Sealed(value, place=self.place, column=str(self))

    def pre_save(self, model_instance: models.Model, add: bool) -> Sealed | None:
        sealed: Sealed | None = getattr(model_instance, self.attname)
        if sealed is not None:
            self._refuse_foreign(sealed, self._row(model_instance.pk))
            if model_instance._state.adding:
                sealed.reveal("storing a new row")  # one built from values() has only claimed to be this row's
        return sealed

    def get_prep_value(self, value: Any) -> Any:
        if value is None or isinstance(value, _StoredText):
            return value
        if isinstance(value, Sealed) and value._place == self.place and value._row:
            return _StoredText(value._text)
        raise self._without_row()

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if not hasattr(value, "as_sql"):
            return self.get_prep_value(value)
        if not self._may_store(value):
            raise self._without_row()
        return value

    def _may_store(self, expression: Any) -> bool:
        """Can this store nothing but what was sealed here, in the row it was sealed for where that can be seen?"""
        match expression:
            case Cast(output_field=output_field) if output_field == self:  # bulk_update() on PostgreSQL
                return self._may_store(*expression.get_source_expressions())
            case Case(cases=cases, default=default):  # bulk_update()
                return self._keeps(default) and all(
                    self._keeps(case.result) or self._is_sealed(case.result, self._row_met_by(case.condition))
                    for case in cases
                )
            case Value(value=Sealed(_row=row)):
                return self._is_sealed(expression, row)
        return self._keeps(expression)

    def _keeps(self, expression: Any) -> bool:
        """Does this leave each row its own value, or none?"""
        match expression:
            case Value(value=None):
                return True
            case Col(target=column):
                return bool(column == self)
        return False

    def _is_sealed(self, expression: Any, row: UUID | None) -> bool:
        sealed = getattr(expression, "value", None)
        is_for_row = isinstance(sealed, Sealed) and sealed._row == row
        return is_for_row and bool(expression._output_field_or_none == self)

    def _row_met_by(self, condition: Any) -> UUID | None:
        match condition:
            case WhereNode(children=[Exact(lhs=Col(target=column), rhs=pk)], negated=False) if column.primary_key:
                return self._row(pk)
        return None

    def _without_row(self) -> TypeError:
        return TypeError(
            f"{self} cannot be stored this way: it must be sealed for its row. Assign it to the row and save, or hand "
            "update() what Sealed.for_row(row, field, text) returns."
        )

    def get_placeholder(self, value: Any, compiler: Any, connection: Any) -> str:
        query = compiler.query
        if self in getattr(query, "update_fields", ()) and query.unique_fields != [self.model._meta.pk]:
            raise TypeError(
                f"{self} cannot be written by an upsert that meets rows by anything but their primary key: they would "
                "get what was sealed for the row that was not inserted. Save the rows one by one."
            )
        return "%s"

    # No way around reveal()

    def to_python(self, value: Any) -> Any:
        return value if value is None or isinstance(value, Sealed) else _FROM_OUTSIDE

    def value_to_string(self, obj: models.Model) -> str:
        raise TypeError(f"{self} is not dumped: a dump would carry secrets. Leave {obj._meta.label} out (--exclude).")

    @classmethod
    def get_lookups(cls) -> dict[str, Any]:
        return {"isnull": IsNull}  # of everything else Django says "Unsupported lookup"

    def formfield(self, form_class: Any = None, choices_form_class: Any = None, **kwargs: Any) -> forms.Field | None:
        from .sealed_forms import SealedFormField, SealedInput  # they need Sealed

        # The admin offers a textarea for every TextField, which would show "(sealed)" and take it back as the secret.
        given = kwargs.pop("widget", None)
        is_safe = isinstance(given, SealedInput) or (isinstance(given, type) and issubclass(given, SealedInput))
        return super().formfield(form_class=SealedFormField, widget=given if is_safe else SealedInput, **kwargs)

    def save_form_data(self, instance: models.Model, data: Any) -> None:
        if data:  # left empty means: keep what is stored
            super().save_form_data(instance, data)
