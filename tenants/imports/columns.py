"""The columns of an import: what they are called in a file, on the page and in history. No database."""

from dataclasses import dataclass

SECRET = "client_secret"  # noqa: S105  a column's name
ENDS_ON = "secret_ends_on"
LISTS = ("scopes", "product_uris", "return_urls", "alert_emails")


@dataclass(frozen=True)
class Column:
    """`label` is the word of history; `words` tell the person what may stand in a cell."""

    name: str
    label: str
    words: str


COLUMNS = (
    Column(
        "tenant",
        "tenant",
        "The tenant's name or short name. Empty for a registration that many tenants share, where you may see those.",
    ),
    Column("name", "name", "The registration's name in Entra; people see it when they consent."),
    Column("cloud", "cloud", "The cloud's key or name. Empty is Microsoft 365 worldwide (global)."),
    Column(
        "audience",
        "supported account types",
        "As in the manifest (AzureADMyOrg), in the portal's words, or one of: single, multi, any, personal. "
        "Empty is single for a new registration.",
    ),
    Column("directory", "directory (tenant) id", "The Directory (tenant) ID, or a domain of that directory."),
    Column(
        "client_id",
        "application (client) id",
        "The Application (client) ID. With the cloud it says which registration a row is about.",
    ),
    Column(
        "scopes",
        "scopes",
        "Names from the catalogue, Aurinko's older ones or Microsoft's permissions, between spaces, commas or "
        "semicolons.",
    ),
    Column(
        "product_uris",
        "redirect uris of your products",
        "Where your products have Microsoft send people, between spaces or line breaks.",
    ),
    Column("return_urls", "return urls", "Where a consent link may send the browser, between spaces or line breaks."),
    Column("alert_emails", "alert addresses", "Who is told when something is wrong, between commas or semicolons."),
    Column(
        SECRET,
        "client secret (value)",
        "The secret's Value, not its Secret ID. Sealed at once and never shown. Empty keeps what is stored.",
    ),
    Column(ENDS_ON, "client secret ends on", "The day in Entra's Expires column, as 2027-01-31."),
)
NAMES = tuple(column.name for column in COLUMNS)
LABELS = {column.name: column.label for column in COLUMNS}
