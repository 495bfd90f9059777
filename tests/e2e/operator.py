"""What an operator does in the admin, in a real browser."""

import secrets
from datetime import date, timedelta

from tests.e2e.conftest import Person
from tests.e2e.site import Site


class Admin:
    """What an operator does in the admin."""

    def __init__(self, operator: Person, site: Site) -> None:
        self.page, self.site, self.operator = operator.page, site, operator
        password = secrets.token_urlsafe(16)
        site.manage(
            "createsuperuser",
            "--no-input",
            "--username=olga",
            "--email=olga@example.com",
            DJANGO_SUPERUSER_PASSWORD=password,
        )
        self.page.goto(site.url + "/")
        self.page.fill("#id_username", "olga")
        self.page.fill("#id_password", password)
        self.page.click("input[type=submit]")
        self.page.wait_for_selector("text=Add a tenant")
        operator.picture("01-index-empty")

    def open(self, path: str) -> None:
        self.page.goto(f"{self.site.url}/admin/{path}")

    def add_tenant(self, name: str) -> None:
        self.open("tenants/tenant/add/")
        self.page.fill("#id_name", name)
        self.page.fill("#id_slug", name.split()[0].lower())
        self.page.fill("#id_contact_emails", "it@alder.example")
        self.operator.picture("02-tenant")
        self._save()

    def add_registration(self, tenant: str, app: dict[str, str], directory: str, secret: str) -> None:
        self._begin_registration(tenant, app["name"])
        self.page.fill("#id_directory", directory)
        self.page.fill("#id_client_id", app["client_id"])
        assert f"{self.site.url}/oauth/callback/sandbox/" in self.page.inner_text(".field-redirect_uri_to_copy")
        self.enter_secret(secret)
        for scope in ("Mail.ReadWrite", "Mail.Send", "Calendar.ReadOnly"):
            self.page.check(f"input[name=scopes][value='{scope}']")
        assert "Calendars.Read" in self.page.inner_text(".field-scopes")
        self.operator.picture("03-registration")
        self._save()

    def add_draft(self, tenant: str, name: str, product_uri: str) -> None:
        """A registration that is still to be registered in Entra."""
        self._begin_registration(tenant, name)
        for scope in ("Mail.ReadWrite", "Calendar.ReadOnly"):
            self.page.check(f"input[name=scopes][value='{scope}']")
        self.page.fill("#id_product_uris", product_uri)
        self._save()

    def _begin_registration(self, tenant: str, name: str) -> None:
        self.open("tenants/appregistration/add/")
        self.page.click(".field-tenant .select2-selection")
        self.page.fill(".select2-search__field", tenant[:3])
        self.page.click(f".select2-results__option:has-text('{tenant}')")
        self.page.fill("#id_name", name)
        self.page.select_option("#id_cloud", "sandbox")
        self.page.check("input[name=audience][value=AzureADMyOrg]")

    def paste(self, client_id: str, directory: str, secret: str) -> None:
        """What was noted in Entra, on the registration's page that is open."""
        self.page.fill("#id_client_id", client_id)
        self.page.fill("#id_directory", directory)
        self.enter_secret(secret)
        self._save()

    def verify(self, name: str, picture: str) -> str:
        """Press "Verify" and wait for the end; what the report says."""
        self.open_registration(name)
        self.page.click("button:has-text('Verify')")
        self.page.wait_for_selector(".field-ended time", timeout=40_000)
        self.operator.picture(picture)
        return str(self.page.inner_text("#content"))

    def setup(self, name: str) -> None:
        """Open the registration's Setup page."""
        self.open_registration(name)
        self.page.click(".object-tools a:has-text('Setup')")

    def enter_secret(self, value: str) -> None:
        self.page.fill("#id_secret", value)
        self.page.fill("#id_secret_ends_on", (date.today() + timedelta(days=200)).isoformat())

    def replace_secret(self, app: str, value: str) -> None:
        self.open_registration(app)
        self.enter_secret(value)
        self._save()

    def open_registration(self, app: str) -> None:
        self.open("tenants/appregistration/")
        self.page.click(f"#result_list tbody th a:has-text('{app}')")

    def make_link(self, app: str) -> str:
        self.open_registration(app)
        self.page.click("text=Create consent link")
        self.operator.picture("04-link-form")
        self._save()
        address = self.page.inner_text("#link-address")
        self.operator.picture("05-link-made")
        return address

    def check(self, app: str, picture: str) -> str:
        """Press "Check now" and wait for the end; what the check's page then says."""
        self.open_registration(app)
        self.page.click("button:has-text('Check now')")
        self.page.wait_for_selector(".sweep-progress:has-text('finished')", timeout=40_000)
        self.operator.picture(picture)
        return str(self.page.inner_text("#content"))

    def _save(self) -> None:
        before = self.page.url
        self.page.click("input[name=_save]")
        self.page.wait_for_url(lambda url: url != before)
        assert not self.page.query_selector(".errornote"), self.page.inner_text("#content")
