"""What Microsoft has switched off or is about to, with its date. No database, no network."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Retired:
    """One thing that ends or has ended: what, when, and what comes instead. Where Microsoft says so is in its rule."""

    what: str
    when: str
    instead: str


_EWS = Retired(
    "Exchange Web Services (EWS)",
    "blocked for applications that are not Microsoft's from 1 October 2026",
    "Move what uses it to Microsoft Graph and remove the permission in Entra.",
)
_AAD_GRAPH = Retired(
    "Azure AD Graph",
    "answering nobody since 1 July 2025",
    "Move what uses it to Microsoft Graph and remove the permission in Entra.",
)

# By the ID of a permission or of a resource, as a registration lists them in Entra (requiredResourceAccess).
PERMISSIONS = {
    "9769c687-087d-48ac-9cb3-c37dde652038": _EWS,  # EWS.AccessAsUser.All, of Microsoft Graph
    "3b5f3d61-589b-4a3c-a359-5dd4b5ee5bd5": _EWS,  # EWS.AccessAsUser.All, of Exchange Online
    "dc890d15-9560-4a4c-9b7f-a736ec74ec40": _EWS,  # full_access_as_app, of Exchange Online
    "00000002-0000-0000-c000-000000000000": _AAD_GRAPH,
}

HOSTS = {
    "login.microsoftonline.de": Retired(
        "The cloud Azure Germany",
        "closed since 29 October 2021",
        "Register the application in the cloud its directory has moved to.",
    ),
    "login-us.microsoftonline.com": Retired(
        "The sign-in host login-us.microsoftonline.com",
        "replaced by login.microsoftonline.us in 2020",
        "Choose the cloud US Government L4 or L5.",
    ),
}
# Still answered, by another name.
OLD_HOSTS = {
    "login.chinacloudapi.cn": Retired(
        "The sign-in host login.chinacloudapi.cn",
        "an alias that MSAL calls deprecated",
        "Choose the built-in cloud for China, whose host is login.partner.microsoftonline.cn.",
    ),
}
# By permission asked for.
PROTOCOLS = {
    "SMTP.Send": Retired(
        "Signing in to SMTP with a password",
        "off by default for existing tenants from the end of December 2026",
        "Have every product of this registration sign in to SMTP by OAuth before then, and SMTP AUTH allowed for the "
        "mailboxes that send.",
    )
}
