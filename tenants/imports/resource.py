"""One row against what is stored: what it would change, and every reason why it cannot."""

from datetime import date
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils import timezone
from import_export.fields import Field
from import_export.resources import Resource
from import_export.results import RowResult

from tenants import clouds, scopes
from tenants.models import AppRegistration, ImportRow
from tenants.models.credential import LEFT_OUT, LONGEST_IN_ENTRA

from . import cells, foreseen
from .columns import ENDS_ON, NAMES, SECRET
from .cypht import says_nothing_new
from .situation import Situation, secret_of, state_of

LONGEST_SENTENCE = 600  # a cell may be quoted
OF_CONSTRAINT = {
    constraint.violation_error_message: column
    for constraint in AppRegistration._meta.constraints
    for name, column in (("registration_client_id_unique", "client_id"), ("registration_name_unique", "name"))
    if constraint.name == name
}
Outcome = ImportRow.Outcome
OUTCOMES = {
    RowResult.IMPORT_TYPE_NEW: Outcome.NEW,
    RowResult.IMPORT_TYPE_UPDATE: Outcome.CHANGED,
    RowResult.IMPORT_TYPE_SKIP: Outcome.UNCHANGED,
    RowResult.IMPORT_TYPE_INVALID: Outcome.WRONG,
}


class Difference:
    """Stands in for the library's own, which makes HTML with inline styles: what was, and what would be."""

    def __init__(self, resource: "RegistrationResource", instance: AppRegistration, new: bool) -> None:
        self.old = {} if new else self._values(resource, instance)
        self.new: dict[str, Any] = {}

    def compare_with(self, resource: "RegistrationResource", instance: AppRegistration) -> None:
        self.new = self._values(resource, instance)

    def as_html(self) -> dict[str, list[Any]]:
        """Column -> [old, new] of what differs; of a new row, of what is not empty. The library's name for it."""
        pairs = {name: [self.old.get(name), value] for name, value in self.new.items()}
        return {name: [old, new] for name, (old, new) in pairs.items() if (old or None) != (new or None)}

    def _values(self, resource: "RegistrationResource", instance: AppRegistration) -> dict[str, Any]:
        found = {field.column_name: field.get_value(instance) for field in resource.get_import_fields()}
        return {**found, "tenant": str(found["tenant"] or "")}


class RegistrationResource(Resource):  # type: ignore[misc]  # the library has no types
    """Compares rows with what is stored. It writes nothing: what is found is kept on the row, see `judge`."""

    tenant = cells.TenantField(attribute="tenant")
    name = Field(attribute="name", widget=cells.NameCell())
    cloud = Field(attribute="cloud")
    audience = Field(attribute="audience", widget=cells.AudienceCell(), saves_null_values=False)
    directory = Field(attribute="directory", widget=cells.IdentifierCell())
    client_id = Field(attribute="client_id", widget=cells.IdentifierCell())
    scopes = cells.ListField(attribute="scopes", widget=cells.ScopesCell())
    product_uris = cells.ListField(attribute="product_uris", widget=cells.URIsCell())
    return_urls = cells.ListField(attribute="return_urls", widget=cells.URIsCell())
    alert_emails = Field(attribute="alert_emails", widget=cells.AddressesCell())
    client_secret = cells.SecretField(attribute=SECRET)
    secret_ends_on = cells.EndField(attribute=ENDS_ON, widget=cells.DayCell())

    class Meta:
        fields = NAMES
        import_order = NAMES
        skip_unchanged = True
        store_instance = True

    def __init__(self, situation: Situation, stored: dict[int, AppRegistration]) -> None:
        """`stored` has what `situation` says the rows are about, loaded."""
        super().__init__()
        self.situation = situation
        self.stored = stored
        self.fields["tenant"].widget = cells.TenantCell(situation)
        self.fields["cloud"].widget = cells.CloudCell(situation)
        self.fields["product_uris"].adds = situation.is_env  # one Cypht's address is not all there are

    @classmethod
    def get_diff_class(cls) -> type[Difference]:
        return Difference

    def judge(self, row: ImportRow) -> None:
        """Say on the row what would become of it, or what is wrong."""
        given = {SECRET: row.secret, **row.cells}  # of a secret that an export left out the cell says just that
        result = self.import_row(given, None, dry_run=True, row_number=row.number)
        if result.errors:
            raise result.errors[0].error
        row.outcome = OUTCOMES[result.import_type]
        if row.outcome == Outcome.WRONG:
            row.errors = _errors_in(result.validation_error)
            return
        registration: AppRegistration = result.instance
        row.changes = result.diff if row.outcome != Outcome.UNCHANGED else {}
        row.plan = _plan(registration)
        row.hints = _hints(registration, row)
        if registration.pk:
            row.registration_id = registration.pk
            row.state_seen = self.state_before

    # What the library asks

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        self.row, self.number = row, kwargs["row_number"]

    def get_instance(self, instance_loader: Any, row: dict[str, Any]) -> AppRegistration | None:
        found = self.situation.stored_for(row)
        if row[SECRET] == LEFT_OUT and (found is None or secret_of(self.stored[found.pk]) is None):
            row.pop(ENDS_ON, None)  # it is the end of a secret that is not here
        if found is None:
            return None
        stored = self.stored[found.pk]
        if self.situation.is_env:
            for name in says_nothing_new(row, stored):
                row.pop(name, None)
        self.state_before = state_of(stored)  # it is about to be changed in memory
        return stored

    def init_instance(self, row: Any = None) -> AppRegistration:
        return AppRegistration()

    def import_instance(self, instance: AppRegistration, row: dict[str, Any], **kwargs: Any) -> None:
        try:
            super().import_instance(instance, row, **kwargs)
            errors: dict[str, Any] = {}
        except ValidationError as wrong:
            errors = wrong.update_error_dict({})
        for column, words in (*self._of_the_file(instance, row), *self._of_the_secret(instance, row, errors)):
            errors.setdefault(column, []).append(ValidationError(words))
        if errors:
            raise ValidationError(errors)

    def import_field(self, field: Field, instance: AppRegistration, row: Any, is_m2m: bool = False, **kw: Any) -> None:
        try:
            super().import_field(field, instance, row, is_m2m, **kw)
        except ValidationError as wrong:  # the library looks on for other faults only after a ValueError
            raise ValueError(wrong.messages[0]) from None

    def validate_instance(
        self, instance: AppRegistration, import_validation_errors: Any = None, validate_unique: bool = True
    ) -> None:
        errors: dict[str, Any] = dict(import_validation_errors or {})
        looks: list[Any] = [lambda: instance.clean_fields(exclude={*errors, "tenant"}), instance.clean]
        said = set(errors)
        if not said & {"tenant", "client_id", "name", "cloud"} and self.situation.may_clash(self.row, instance):
            looks.append(instance.validate_constraints)
        if "audience" in said and not instance.directory:
            said.add("directory")  # whether it needs one is not known then
        for look in looks:
            try:
                look()
            except ValidationError as wrong:
                found: dict[str, Any] = wrong.update_error_dict({})
                errors |= {column: problems for column, problems in found.items() if column not in said}
                said |= set(found)
        if not errors and instance.pk and not self.situation.may_change:
            errors["client_id"] = [ValidationError("It is stored already, and you may not change registrations.")]
        if errors:
            raise ValidationError(errors)

    # Rules about more than one cell

    def _of_the_file(self, instance: AppRegistration, row: dict[str, Any]) -> list[tuple[str, str]]:
        wrong: list[tuple[str, str]] = []
        if not instance.pk:
            absent = [name for name in ("tenant", "name") if name not in row]
            wrong += [(name, f"This row is new, so the file needs a column {name} for it.") for name in absent]
        if instance.tenant and instance.tenant.suspended_at:
            wrong.append(("tenant", "This tenant is suspended. Resume it first, or take the row out."))
        earlier = self.situation.earlier_with_key(self.number, row)
        if earlier:
            wrong.append(("client_id", f"Row {earlier} is about the same registration. Keep one of the two."))
        else:
            earlier = self.situation.earlier_with_name(self.number, instance.tenant_id, instance.name)
            if earlier:
                wrong.append(("name", f"Row {earlier} has the same name for the same tenant. Rename one of the two."))
        return wrong

    def _of_the_secret(
        self, instance: AppRegistration, row: dict[str, Any], errors: dict[str, Any]
    ) -> list[tuple[str, str]]:
        wrong: list[tuple[str, str]] = []
        want = cells.wanted(instance)
        ends_on = row.get(ENDS_ON, "")
        if want.get(SECRET) and not ends_on and not self.situation.is_env:
            wrong.append((ENDS_ON, "Enter the day this secret ends; Entra shows it in the Expires column."))
        if want.get(SECRET) and not ends_on:
            want[ENDS_ON] = ""
        if ends_on and ENDS_ON not in errors and row[SECRET] is None and secret_of(instance) is None:
            wrong.append((SECRET, "Enter the Value of the secret that ends on this day."))
        if want.get(SECRET) and not instance.client_id and "client_id" not in errors:
            wrong.append(("client_id", "Enter the Application (client) ID that the secret is of."))
        cloud = clouds.clouds().get(instance.cloud)
        names = self.fields["scopes"].get_value(instance)
        if cloud and not cloud.outlook_host and names and scopes.family_of(names) == scopes.IMAP:
            wrong.append(("scopes", f"{cloud.name} has no host for IMAP, POP and SMTP; use Graph's scopes."))
        return wrong


def _errors_in(wrong: ValidationError) -> list[list[str]]:
    """[column, sentence] in the order of the columns; what belongs to none comes last."""
    found = [
        [OF_CONSTRAINT.get(words, column if column != NON_FIELD_ERRORS else ""), words[:LONGEST_SENTENCE]]
        for column, sentences in wrong.message_dict.items()
        for words in sentences
    ]
    order = [*NAMES, ""]
    return sorted(found, key=lambda error: order.index(error[0]) if error[0] in order else len(order))


def _plan(registration: AppRegistration) -> dict[str, Any]:
    want = cells.wanted(registration)
    names = ("name", "cloud", "audience", "directory", "client_id", "alert_emails")
    return {
        "tenant": registration.tenant_id,
        **{name: getattr(registration, name) for name in names},
        **{name: want.get(name, []) for name in ("scopes", "product_uris", "return_urls")},
        SECRET: SECRET in want,
        ENDS_ON: want.get(ENDS_ON, ""),
    }


def _hints(registration: AppRegistration, row: ImportRow) -> list[str]:
    """What is no fault, and yet worth a look before it is imported."""
    hints = foreseen.refused(registration) if row.outcome != Outcome.UNCHANGED else []
    ends_on = row.plan[ENDS_ON]
    if ends_on and date.fromisoformat(ends_on) - timezone.now().date() > LONGEST_IN_ENTRA:
        hints.append("Client secrets in Entra last at most 24 months: look at the end date once more.")
    if row.plan[SECRET] and not ends_on:
        hints.append("The day the secret ends is not known: nobody is warned before.")
    if row.outcome == Outcome.NEW and not row.plan["scopes"]:
        hints.append("No scopes: tick them on its page before you make a consent link.")
    return hints
