"""Where in Microsoft's Entra admin center a page of app registrations is. No network.

Microsoft names no address for these pages; the fragments are the same in every cloud's admin center. A page opens in
the directory that the person is signed in to there.
"""

from urllib.parse import quote

from .clouds import Cloud

OVERVIEW, CREDENTIALS, PERMISSIONS = "Overview", "Credentials", "CallAnAPI"
AUTHENTICATION = "Authentication"
_APP = "{origin}/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/{blade}/appId/{client_id}"
_LIST = "{origin}/#view/Microsoft_AAD_RegisteredApps/ApplicationsListBlade"


def page_of_app(cloud: Cloud | None, client_id: str, blade: str) -> str:
    """The address of one page of a registration; empty before it is registered, and in a cloud without admin center."""
    if cloud is None or not cloud.portal_origin or not client_id:
        return ""
    return _APP.format(origin=cloud.portal_origin, blade=blade, client_id=quote(client_id, safe=""))


def list_of_apps(cloud: Cloud | None) -> str:
    """The address of the directory's app registrations, where new ones are made; empty without an admin center."""
    return _LIST.format(origin=cloud.portal_origin) if cloud and cloud.portal_origin else ""
