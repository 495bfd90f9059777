"""GraphClient: the handful of questions to Microsoft Graph, with a token that somebody else got."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django.views.decorators.debug import sensitive_variables
from urllib3.exceptions import HTTPError

from tenants.clouds import Cloud

from .errors import EntraUnreachable
from .http import GUID, Answer, HttpClient, client_for

# Graph says so of an account without a licence, of one whose mailbox is on a server of its own, and of a deleted one.
NO_MAILBOX = "MailboxNotEnabledForRESTAPI"
TO_EVERYBODY = "AllPrincipals"
MOST_PAGES = 20
OF_AN_APPLICATION = (
    "id,appId,displayName,signInAudience,isDisabled,disabledByMicrosoftStatus,passwordCredentials,keyCredentials,"
    "requiredResourceAccess,web,spa,publicClient"
)
WORD = re.compile(r"[A-Za-z0-9_.-]{1,80}")


class GraphRefused(Exception):
    """A clear no. `code` is Graph's own word for it, by which callers decide; its message is not kept."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"Microsoft Graph refused: {code or status}.")
        self.status = status
        self.code = code


class GraphClient:
    """Reads with one access token. Raises GraphRefused, or EntraUnreachable where no usable answer came."""

    @sensitive_variables()
    def __init__(self, cloud: Cloud, token: str, http: HttpClient | None = None) -> None:
        self._cloud = cloud
        self._token = token
        self._http = http or client_for(cloud)
        self._base = f"https://{cloud.graph_host}/v1.0"

    def mailbox_settings(self) -> dict[str, Any]:
        """The signed-in account's mailbox settings; GraphRefused with NO_MAILBOX where it has no mailbox."""
        return self._get("/me/mailboxSettings")

    def application(self, client_id: str) -> dict[str, Any]:
        """A registration as its own directory has it: what OF_AN_APPLICATION names. GraphRefused with 403 or 404.

        Takes an application's token that may read it: Application.Read.All, or Application.ReadWrite.OwnedBy of one
        that is an owner.
        """
        if GUID.fullmatch(client_id) is None:
            raise GraphRefused(400, "Request_BadRequest")
        return self._get(f"/applications(appId='{client_id}')?$select={OF_AN_APPLICATION}")

    def granted_to_everybody(self, client_id: str) -> frozenset[str]:
        """Permissions that an administrator granted this application for the whole directory, by bare name.

        Takes an application's token that may read the directory (Directory.Read.All).
        """
        if GUID.fullmatch(client_id) is None:
            raise GraphRefused(400, "Request_BadRequest")
        application = self._get(f"/servicePrincipals(appId='{client_id}')?$select=id")
        key = application.get("id")
        if not isinstance(key, str) or GUID.fullmatch(key) is None:
            raise EntraUnreachable("Microsoft Graph's answer names no application.")
        only_its_own = quote(f"clientId eq '{key}'")
        rows = self._all(f"/oauth2PermissionGrants?$filter={only_its_own}")
        texts = [row.get("scope") for row in rows if row.get("consentType") == TO_EVERYBODY]
        return frozenset(name for text in texts if isinstance(text, str) for name in text.split())

    def _all(self, path: str) -> list[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = []
        for _ in range(MOST_PAGES):
            page = self._get(path)
            values = page.get("value")
            rows += [row for row in values if isinstance(row, dict)] if isinstance(values, list) else []
            following = page.get("@odata.nextLink")
            if not isinstance(following, str) or not following.startswith(f"{self._base}/"):
                break
            path = following.removeprefix(self._base)
        return rows

    @sensitive_variables()
    def _get(self, path: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        try:
            answer = self._http.get(f"{self._base}{path}", headers=headers)
        except HTTPError:
            raise EntraUnreachable(f"{self._cloud.graph_host} could not be reached.") from None
        body = answer.json_object
        if answer.status_code == 200 and body is not None:
            return body
        if answer.status_code == 429 or answer.status_code >= 500 or body is None:
            raise _unreachable(answer)
        error = body.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        raise GraphRefused(answer.status_code, code if isinstance(code, str) and WORD.fullmatch(code) else "")


def _unreachable(answer: Answer) -> EntraUnreachable:
    text = f"Microsoft Graph gave no usable answer (HTTP {answer.status_code})."
    kind = "throttled" if answer.status_code == 429 else "unreachable"
    return EntraUnreachable(text, retry_after=answer.retry_after, kind=kind)
