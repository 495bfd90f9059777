"""How Entra says no: the numbers, the OAuth error each comes with, and the shape of the body."""

import datetime
import uuid
from typing import Any

# number -> (error, text). Texts are short paraphrases of the public ones; {…} is filled by whoever refuses.
TEXTS: dict[int, tuple[str, str]] = {
    50011: (
        "invalid_client",
        "The redirect URI '{uri}' specified in the request does not match the redirect URIs configured for the"
        " application '{app}'.",
    ),
    50020: (
        "invalid_grant",
        "User account '{address}' from another directory does not exist in tenant '{tenant}' and cannot access the"
        " application '{app}'({name}) in that tenant.",
    ),
    50034: ("invalid_grant", "The user account does not exist in the {tenant} directory."),
    50055: ("invalid_grant", "The password is expired."),
    50057: ("invalid_grant", "The user account is disabled."),
    50058: ("login_required", "A silent sign-in request was sent but no user is signed in."),
    50059: (
        "invalid_request",
        "No tenant-identifying information found in either the request or implied by any provided credentials.",
    ),
    50074: ("interaction_required", "Strong authentication is required."),
    50076: (
        "invalid_grant",
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must"
        " use multi-factor authentication to access '00000003-0000-0000-c000-000000000000'.",
    ),
    50105: (
        "interaction_required",
        "The signed in user is not assigned to a role for the application '{app}'({name}).",
    ),
    50173: (
        "invalid_grant",
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have"
        " changed or reset their password. The grant was issued on '{issued}' and the TokensValidFrom date (before"
        " which tokens are not valid) for this user is '{valid_from}'.",
    ),
    50194: (
        "invalid_request",
        "Application '{app}'({name}) is not configured as a multi-tenant application. Usage of the /common endpoint"
        " is not supported for such applications. Use a tenant-specific endpoint or configure the application to be"
        " multi-tenant.",
    ),
    50196: (
        "invalid_grant",
        "The server terminated an operation because it encountered a loop while processing a request.",
    ),
    53003: (
        "invalid_grant",
        "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    ),
    54005: (
        "invalid_grant",
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing"
        " refresh token.",
    ),
    65001: (
        "invalid_grant",
        "The user or administrator has not consented to use the application with ID '{app}' named '{name}'. Send an"
        " interactive authorization request for this user and resource.",
    ),
    65004: ("access_denied", "User declined to consent to access the app."),
    70000: ("invalid_grant", "The request was denied because the provided grant is not valid for this client."),
    70003: ("unsupported_grant_type", "The app requested an unsupported grant type '{value}'."),
    70005: ("unsupported_response_type", "The response type '{value}' is not enabled for this application."),
    70007: ("invalid_request", "The response mode '{value}' is not supported."),
    70008: ("invalid_grant", "The provided authorization code or refresh token has expired due to inactivity."),
    70011: (
        "invalid_scope",
        "The provided value for the input parameter 'scope' is not valid. The scope '{value}' is not valid.",
    ),
    70043: (
        "invalid_grant",
        "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access.",
    ),
    90002: (
        "invalid_request",
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the"
        " correct cloud. Check with your subscription administrator, this may happen if there are no active"
        " subscriptions for the tenant.",
    ),
    90023: ("invalid_request", "The value '{value}' of the parameter '{parameter}' is not supported."),
    90033: ("temporarily_unavailable", "A transient error has occurred. Please try again."),
    90094: (
        "access_denied",
        "{name} needs permission to access resources in your organization that only an admin can grant.",
    ),
    500011: (
        "invalid_resource",
        "The resource principal named {value} was not found in the tenant named {tenant}. This can happen if the"
        " application has not been installed by the administrator of the tenant.",
    ),
    500112: (
        "invalid_client",
        "The reply address '{uri}' does not match the reply address provided when requesting the authorization code.",
    ),
    500113: ("invalid_request", "No reply address is registered for the application."),
    501481: (
        "invalid_grant",
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
    ),
    650053: (
        "invalid_client",
        "The application '{name}' asked for scope '{value}' that doesn't exist on the resource.",
    ),
    700016: (
        "unauthorized_client",
        "Application with identifier '{app}' was not found in the directory '{tenant}'. This can happen if the"
        " application has not been installed by the administrator of the tenant or consented to by any user in the"
        " tenant. You may have sent your authentication request to the wrong tenant.",
    ),
    700027: ("invalid_client", "Client assertion failed signature validation."),
    700082: (
        "invalid_grant",
        "The refresh token has expired due to inactivity. The token was issued on {issued} and was inactive for"
        " 90.00:00:00.",
    ),
    900023: (
        "invalid_request",
        "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain.",
    ),
    900144: ("invalid_request", "The request body must contain the following parameter: '{parameter}'."),
    7000112: ("unauthorized_client", "Application '{app}'({name}) is disabled."),
    7000215: (
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not"
        " the client secret ID, for a secret added to app '{app}'.",
    ),
    7000216: (
        "invalid_client",
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
    ),
    7000218: (
        "invalid_client",
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    ),
    7000222: (
        "invalid_client",
        "The provided client secret keys for app '{app}' are expired. Visit the Azure portal to create new keys for"
        " your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security:"
        " https://aka.ms/certCreds.",
    ),
    9002313: ("invalid_grant", "Invalid request. Request is malformed or invalid."),
    9002332: (
        "invalid_request",
        "Application '{app}'({name}) is configured for use by Microsoft Entra users only. Please do not use the"
        " /consumers endpoint to serve this request.",
    ),
}

# Numbers the sandbox only says when told to; what is in neither table comes as invalid_grant.
ERRORS: dict[str, tuple[int, ...]] = {
    "access_denied": (90093, 90095, 900941),
    "interaction_required": (
        16000, 50072, 50078, 50079, 50097, 50129, 50140, 50158, 53000, 53001, 53002, 53004, 500121,
    ),
    "invalid_client": (
        50012, 50048, 65005, 70002, 70021, 650052, 650056, 700024, 700025, 700030, 700222,
    ),
    "invalid_instance": (50049,),
    "invalid_request": (
        50128, 90008, 90013, 90014, 90015, 90019, 90038, 90056, 90100, 90124, 90130, 500021, 500208, 500212, 650054,
        900382, 900439, 900561, 900971, 1000031, 9001023,
    ),
    "invalid_resource": (50001, 650057),
    "invalid_scope": (28002, 28003, 700022, 700023),
    "server_error": (90036,),
    "temporarily_unavailable": (50000, 50033, 50087, 70012, 90006, 90012, 90024, 90055, 90090),
    "unauthorized_client": (70001, 700011),
    "unsupported_response_type": (700054,),
}  # fmt: skip
ERROR_OF = {number: error for error, numbers in ERRORS.items() for number in numbers}
SUBERRORS = {
    50034: "bad_token",
    50055: "user_password_expired",
    50076: "basic_action",
    50173: "bad_token",
    53003: "message_only",
    65001: "consent_required",
    70043: "token_expired",
}
STATUS_OF_ERROR = {"invalid_client": 401, "temporarily_unavailable": 503, "server_error": 500}
STATUSES = {90055: 429, 90090: 400}
CONDITIONAL_ACCESS = (
    '{"access_token":{"capolids":{"essential":true,"values":["00000000-0000-4000-8000-000000053003"]}}}'
)
# At the sign-in pages these stay on Microsoft's page: the app never hears of them.
NEVER_REDIRECTED = frozenset(
    {50011, 500113, 700016, 90002, 900023, 50020, 50057, 50105, 50194, 90094, 90095, 90093, 650056, 500208, 9002332}
)


class Refusal(Exception):
    """Entra's no, with its number. `facts` fill the text."""

    def __init__(self, code: int, *, error: str = "", **facts: object) -> None:
        default, text = TEXTS.get(code, (ERROR_OF.get(code, "invalid_grant"), "The request was refused."))
        self.code = code
        self.error = error or default
        self.text = text.format_map(_Facts(facts))
        super().__init__(f"AADSTS{code}: {self.text}")

    @property
    def status(self) -> int:
        return STATUSES.get(self.code, STATUS_OF_ERROR.get(self.error, 400))

    def body(self, trail: "Trail", login_origin: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "error": self.error,
            "error_description": f"{self} {trail}",
            "error_codes": [self.code],
            "timestamp": trail.stamp,
            "trace_id": trail.trace_id,
            "correlation_id": trail.correlation_id,
            "error_uri": f"{login_origin}/error?code={self.code}",
        }
        if self.code in SUBERRORS:
            body["suberror"] = SUBERRORS[self.code]
        if self.code == 53003:
            body["claims"] = CONDITIONAL_ACCESS
        return body

    def redirect_fields(self, trail: "Trail", login_origin: str) -> dict[str, str]:
        fields = {
            "error": self.error,
            "error_description": f"{self} {trail}",
            "error_uri": f"{login_origin}/error?code={self.code}",
        }
        if self.error == "access_denied":
            fields["error_subcode"] = "cancel"
        return fields


class _Facts(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return "unknown"


class Trail:
    """The three ids support asks for; correlation is the caller's own where it sent a GUID."""

    def __init__(self, client_request_id: str = "") -> None:
        self.trace_id = str(uuid.uuid4())
        try:
            self.correlation_id = str(uuid.UUID(client_request_id))
        except ValueError:
            self.correlation_id = str(uuid.uuid4())
        self.stamp = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ")

    def __str__(self) -> str:
        return f"Trace ID: {self.trace_id} Correlation ID: {self.correlation_id} Timestamp: {self.stamp}"
