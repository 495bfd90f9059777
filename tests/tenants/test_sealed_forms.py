"""What comes from outside as a form, an admin page or a fixture is never opened, and what goes out holds no secret."""

import io
import json
import traceback

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core import serializers
from django.core.management import CommandError, call_command
from django.core.serializers.base import DeserializationError
from django.forms import Textarea, modelform_factory

from tenants.fields import Sealed
from tenants.sealed_forms import SealedFormField, SealedInput
from tests.sealing.columns import stored
from tests.sealing.models import Vault

pytestmark = pytest.mark.django_db

SECRET = "fake-secret-of-a-form"
FIELD = Vault._meta.get_field("secret")
Form = modelform_factory(Vault, fields=["name", "note", "secret", "spare"])


@pytest.fixture
def vault() -> Vault:
    return Vault.objects.create(name="first", secret=SECRET, spare="fake-spare")


def reveal(vault, field="secret"):
    return getattr(Vault.objects.get(pk=vault.pk), field).reveal("test")


def saved(form):
    assert form.is_valid(), form.errors
    return form.save()


# Forms


def test_a_posted_ciphertext_is_a_text_like_any_other(vault):
    stolen = stored(vault)
    for text in (stolen, stolen.split(":")[1]):
        mine = saved(Form({"name": "mine", "secret": text, "spare": text}))
        assert reveal(mine) == reveal(mine, "spare") == text
        mine.delete()
        saved(Form({"name": "first", "secret": text}, instance=vault))
        assert reveal(vault) == text


def test_nothing_that_cleans_a_text_opens_it(vault):
    for text in (stored(vault), stored(vault).split(":")[1]):
        assert SECRET not in repr(FIELD.to_python(text))
        assert SECRET not in repr(FIELD.clean(text, vault))
        assert FIELD.formfield().clean(text) == text
        vault.secret = text
        vault.full_clean()
        assert vault.secret.reveal("test") == text


def test_full_clean_leaves_what_is_stored(vault):
    loaded = Vault.objects.get(pk=vault.pk)
    loaded.full_clean()
    assert loaded.secret == vault.secret
    loaded.save()
    assert stored(loaded) == stored(vault)


def test_a_form_is_filled_without_ever_rendering_a_value(vault):
    for form in (Form(instance=vault), Form({"name": "", "secret": SECRET}, instance=vault), Form({"secret": SECRET})):
        html = form.as_p()
        assert not [text for text in (SECRET, stored(vault), "fake-spare", "(sealed)") if text in html]
        assert (
            html.count('type="password"')
            == html.count('autocomplete="new-password"')
            == html.count('spellcheck="false"')
            == 2
        )


def test_a_required_secret_is_required_only_until_there_is_one(vault):
    assert Form({"name": "new", "spare": "x"}).errors == {"secret": ["This field is required."]}
    assert Form({"name": "new", "secret": "   "}).errors == {"secret": ["This field is required."]}
    assert "required" in str(Form()["secret"])
    assert "required" not in str(Form(instance=vault)["secret"])


@pytest.mark.parametrize("empty", [{}, {"secret": "", "spare": ""}, {"secret": "  ", "spare": " "}])
def test_left_empty_a_secret_stays_what_it_is(vault, empty):
    before = stored(vault), stored(vault, "spare")
    form = Form({"name": "first", "note": "new", **empty}, instance=vault)
    saved(form)
    assert (stored(vault), stored(vault, "spare")) == before
    assert form.changed_data == ["note"]
    assert isinstance(form.cleaned_data["secret"], Sealed)


def test_a_new_text_replaces_it(vault):
    form = Form({"name": "first", "secret": " fake-new "}, instance=vault)
    saved(form)
    assert reveal(vault) == form.cleaned_data["secret"] == "fake-new"
    assert form.changed_data == ["secret"]


def test_the_same_text_counts_as_a_change_for_nobody_may_try_which_it_is(vault):
    assert Form({"name": "first", "secret": SECRET}, instance=vault).changed_data == ["secret"]


def test_a_prefilled_text_is_neither_shown_nor_kept(vault):
    form = Form({"name": "first"}, instance=vault, initial={"secret": "fake-prefilled", "spare": "fake-prefilled"})
    assert form.errors == {"secret": ["This field is required."]}
    assert "fake-prefilled" not in form.as_p() + Form(initial={"secret": "fake-prefilled"}).as_p()


def test_a_disabled_box_changes_nothing(vault):
    form = Form({"name": "first", "secret": "fake-new"}, instance=vault)
    form.fields["secret"].disabled = True
    saved(form)
    assert form.changed_data == []
    assert reveal(vault) == SECRET


def test_whatever_widget_is_asked_for_it_never_shows_a_value():
    for given in (Textarea, Textarea(), None):
        assert type(FIELD.formfield(widget=given).widget) is SealedInput
    assert FIELD.formfield(widget=SealedInput({"class": "wide"})).widget.attrs["class"] == "wide"
    assert type(FIELD.formfield()) is SealedFormField


def test_an_admin_page_shows_nothing(vault, rf):
    class Page(admin.ModelAdmin):
        readonly_fields = ["spare"]
        list_display = ["name", "secret"]

    request = rf.get("/")
    request.user = get_user_model()(is_active=True, is_superuser=True)
    page = Page(Vault, admin.site)
    form = page.get_form(request, vault)
    assert type(form.base_fields["secret"].widget) is SealedInput
    assert "(sealed)" not in form(instance=vault).as_p()
    row = admin.helpers.AdminReadonlyField(form(instance=vault), "spare", is_first=True, model_admin=page)
    assert row.contents() == "(sealed)"


# Fixtures


@pytest.mark.parametrize("format", ["json", "jsonl", "xml", "python"])
def test_a_secret_is_not_dumped(vault, format):
    with pytest.raises(TypeError, match="sealing.Vault.secret is not dumped.*--exclude") as caught:
        serializers.serialize(format, Vault.objects.all())
    assert "fake" not in str(caught.value)


def test_dumpdata_refuses_in_one_line_and_writes_no_secret(vault):
    out = io.StringIO()
    with pytest.raises(CommandError, match="sealing.Vault.secret is not dumped"):
        call_command("dumpdata", "sealing", stdout=out)
    assert not [text for text in (SECRET, stored(vault), "fake-spare") if text in out.getvalue()]


def test_rows_without_secrets_are_dumped_and_loaded(tmp_path):
    Vault.objects.create(name="none", note="kept")
    fixture = tmp_path / "rows.json"
    call_command("dumpdata", "sealing", output=str(fixture), verbosity=0)
    Vault.objects.all().delete()
    call_command("loaddata", str(fixture), verbosity=0)
    assert Vault.objects.get(secret__isnull=True).note == "kept"


@pytest.mark.parametrize("planted", ["fake-plain-fixture", None])
def test_loaddata_refuses_a_secret_and_does_not_print_it(vault, planted, tmp_path):
    text = planted or stored(vault)
    fields = {"name": "loaded", "note": "", "secret": text, "spare": None}
    fixture = tmp_path / "rows.json"
    fixture.write_text(json.dumps([{"model": "sealing.vault", "pk": str(vault.pk), "fields": fields}]))
    with pytest.raises(DeserializationError, match="sealing.Vault.secret is not loaded from fixtures") as caught:
        call_command("loaddata", str(fixture), verbosity=0)
    assert text not in "".join(traceback.format_exception(caught.value))
    assert reveal(vault) == SECRET


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("jsonl", '{"model": "sealing.vault", "fields": {"name": "x", "secret": "fake-plain-fixture"}}'),
        ("xml", '<django-objects version="1.0"><object model="sealing.vault">'
                '<field name="secret" type="TextField">fake-plain-fixture</field></object></django-objects>'),
        ("python", [{"model": "sealing.vault", "fields": {"name": "x", "secret": "fake-plain-fixture"}}]),
    ],
)  # fmt: skip
def test_no_format_loads_a_secret(format, text):
    with pytest.raises((DeserializationError, TypeError), match="not loaded from fixtures") as caught:
        list(serializers.deserialize(format, text))
    assert "fake-plain-fixture" not in "".join(traceback.format_exception(caught.value))
