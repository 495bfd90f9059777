"""Exchange: what stands between MSAL and the network for one question, and reads Microsoft's raw answer to it."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.views.decorators.debug import sensitive_variables
from urllib3.exceptions import HTTPError, SSLError
from urllib3.exceptions import TimeoutError as NoAnswerInTime

from tenants.clouds import Cloud

from .errors import AnswerRejected, EntraError, EntraRefused, EntraUnreachable, fault_for
from .http import GUID, Answer, HttpClient

WORD = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
NUMBER = re.compile(r"\s*AADSTS([0-9]{1,9})\b")
VISIBLE = re.compile(r"[\x21-\x7e]+")
ANSWERED = Answer(200, "{}", {})


@dataclass(frozen=True)
class Request:
    """What MSAL wants sent to the token endpoint: where, and with what."""

    url: str
    given: Mapping[str, Any] = field(repr=False)


class Exchange:
    """MSAL's http_client for one app object: what MSAL wants sent to the token endpoint is taken from here and sent.

    We judge the raw answer ourselves, so MSAL, which would read it again, decode it and log what it cannot read, gets
    none of it: it is told at once that one came. What is no answer (429, 5xx, not a JSON object) ends here in our own
    error. Discovery that points to another host ends here too, before any secret is sent.
    """

    def __init__(self, http: HttpClient, cloud: Cloud) -> None:
        self._http = http
        self._cloud = cloud
        self.issuer = ""  # may hold "{tenantid}"
        self.names_issuer = False  # in every answer that a browser brings (RFC 9207)
        self._of_this_thread = threading.local()

    def get(self, url: str, **kwargs: Any) -> Answer:
        response, document = self._usable(lambda: self._http.get(url, **kwargs))
        if response.status_code != 200:
            refused = refusal(response.status_code, document)
            if isinstance(refused, EntraRefused) and refused.fault.kind != "tenant_not_found":
                raise EntraUnreachable("Microsoft's discovery document cannot be had.")
            raise refused
        expected = {
            "token_endpoint": f"https://{self._cloud.login_host}/",
            "authorization_endpoint": f"{self._cloud.sign_in_origin}/",
            "issuer": "https://",
        }
        for name, start in expected.items():
            if not text_in(document, name).startswith(start):
                raise AnswerRejected("endpoint", f"The discovery document's {name} does not start with {start}.")
        self.issuer = text_in(document, "issuer")
        self.names_issuer = document.get("authorization_response_iss_parameter_supported") is True
        return response

    def openid_configuration(self, directory: str) -> dict[str, Any]:
        """What the login host really says of a directory. Raises EntraRefused and EntraUnreachable."""
        response, document = self._usable(lambda: self._http.openid_configuration(directory))
        if response.status_code != 200:
            raise refusal(response.status_code, document, retry_after=response.retry_after)
        if not text_in(document, "issuer").startswith("https://"):
            raise EntraUnreachable(f"{self._cloud.login_host} gave no usable answer.")
        return document

    def post(self, url: str, **kwargs: Any) -> Answer:
        self._of_this_thread.request = Request(url, kwargs)
        return ANSWERED

    def take(self) -> Request | None:
        """What MSAL wanted sent, as this thread had it make it, and nobody else gets it again."""
        request: Request | None = self._of_this_thread.__dict__.pop("request", None)
        return request

    @sensitive_variables()
    def send(self, request: Request) -> tuple[Answer, dict[str, Any]]:
        """The raw answer, and the JSON object in it. Raises EntraUnreachable."""
        return self._usable(lambda: self._http.post(request.url, **request.given))

    def close(self) -> None:
        """Nothing to close: the connections are the process's."""

    @sensitive_variables()
    def _usable(self, send: Callable[[], Answer]) -> tuple[Answer, dict[str, Any]]:
        host = self._cloud.login_host
        try:
            response = send()
        except SSLError:
            raise EntraUnreachable(f"{host} shows a certificate that is not trusted.") from None
        except NoAnswerInTime:
            raise EntraUnreachable(f"{host} did not answer in time.") from None
        except HTTPError:
            raise EntraUnreachable(f"{host} could not be reached.") from None
        status = response.status_code
        if status == 429 or status >= 500:
            fault = fault_for(status=status, error="")
            raise EntraUnreachable(fault.what, retry_after=response.retry_after, kind=fault.kind)
        data = response.json_object
        if data is None or not (status == 200 or 400 <= status < 500):
            raise EntraUnreachable(f"{host} gave no usable answer (HTTP {status}).")
        return response, data


def refusal(
    status: int, answer: Mapping[str, Any], *, judges_grant: bool = False, retry_after: float | None = None
) -> EntraError:
    """The error to raise for a refusal. Nothing of its description goes into it but numbers and IDs.

    Unless it `judges_grant` it has no verdict: that a code or a secret is refused says nothing of a grant we hold.
    """
    error, suberror, description = (text_in(answer, name) for name in ("error", "suberror", "error_description"))
    if not error:
        return EntraUnreachable(f"Microsoft gave no usable answer (HTTP {status}).")
    codes = _codes(answer.get("error_codes"), description)
    fault = fault_for(status=status, error=error, suberror=suberror, codes=codes)
    if fault.retryable:
        return EntraUnreachable(fault.what, retry_after=retry_after, kind=fault.kind)
    return EntraRefused(
        fault if judges_grant else replace(fault, verdict=""),
        error=error if WORD.fullmatch(error) else "",
        suberror=suberror if WORD.fullmatch(suberror) else "",
        codes=codes,
        trace_id=_support_id(answer, "trace_id", "Trace ID", description),
        correlation_id=_support_id(answer, "correlation_id", "Correlation ID", description),
    )


def text_in(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def token_in(answer: Mapping[str, Any], name: str) -> str:
    """A token as OAuth allows it (visible ASCII), or nothing."""
    value = text_in(answer, name)
    return value if VISIBLE.fullmatch(value) else ""


def _codes(listed: object, description: str) -> tuple[int, ...]:
    """The AADSTS numbers: listed by the token endpoint, in the description's first words on a redirect."""
    numbers = [n for n in listed if type(n) is int and 0 < n < 10**9] if isinstance(listed, list) else []
    if not numbers and (found := NUMBER.match(description)):
        numbers = [int(found[1])]
    return tuple(numbers[:10])


def _support_id(answer: Mapping[str, Any], name: str, words: str, description: str) -> str:
    """An ID that Microsoft's support can look up."""
    value = text_in(answer, name)
    if GUID.fullmatch(value):
        return value
    found = re.search(rf"{words}: ({GUID.pattern})", description)
    return found[1] if found else ""
