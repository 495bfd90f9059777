"""What the check is measured against: loops that send the same requests and do nothing with the answers."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import msal
import requests
import urllib3

# What MSAL sends with each of its own: the same requests are these, too.
HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/x-www-form-urlencoded",
    "x-client-sku": "MSAL.Python",
    "x-client-ver": msal.__version__,
    "x-client-os": "linux",
    "x-ms-lib-capability": "retry-after, h429",
    "client-request-id": "00000000-0000-0000-0000-000000000000",
    "x-client-current-telemetry": "4|85,1|",
    "x-client-last-telemetry": "4|0|||",
}


@dataclass(frozen=True)
class TokenRequest:
    """One request to the token endpoint, as MSAL would send it."""

    directory: str
    client_id: str
    secret: str
    refresh_token: str = ""

    @property
    def form(self) -> dict[str, str]:
        own = {"client_id": self.client_id, "client_secret": self.secret, "client_info": "1"}
        if not self.refresh_token:
            return {**own, "grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default"}
        scope = "https://graph.microsoft.com/Mail.Read offline_access openid profile"
        return {**own, "grant_type": "refresh_token", "scope": scope, "refresh_token": self.refresh_token}


def in_threads(number: int, send: Callable[[TokenRequest], int], asks: Iterable[TokenRequest]) -> int:
    """Send each with so many threads at once; how many were answered with 200."""
    shared, lock, answered = iter(asks), threading.Lock(), [0] * number

    def work(place: int) -> None:
        while True:
            with lock:
                ask = next(shared, None)
            if ask is None:
                return
            answered[place] += send(ask) == 200

    threads = [threading.Thread(target=work, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(answered)


def over_requests(host: str, ca_file: str, in_flight: int) -> Callable[[TokenRequest], int]:
    """A session for all threads, with a pool that holds a connection for each."""
    session = requests.Session()
    session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=in_flight))
    session.verify, session.trust_env = ca_file, False  # REQUESTS_CA_BUNDLE would win over the CA that is set here

    def send(ask: TokenRequest) -> int:
        url = f"https://{host}/{ask.directory}/oauth2/v2.0/token"
        return session.post(url, data=ask.form, headers=HEADERS, timeout=20).status_code

    return send


def over_urllib3(host: str, ca_file: str, in_flight: int) -> Callable[[TokenRequest], int]:
    """The pool of the one host itself: the barest loop there is."""
    name, _, port = host.partition(":")
    pool = urllib3.HTTPSConnectionPool(name, int(port), maxsize=in_flight, ca_certs=ca_file, retries=False)

    def send(ask: TokenRequest) -> int:
        path = f"/{ask.directory}/oauth2/v2.0/token"
        return pool.urlopen("POST", path, body=urlencode(ask.form), headers=HEADERS, timeout=20).status

    return send


def naive(host: str, ca_file: str, asks: Iterable[TokenRequest]) -> Iterator[bool]:
    """One MSAL application per connection over requests, one after the other: whether each gave a token."""
    for ask in asks:
        app = msal.ConfidentialClientApplication(
            ask.client_id,
            client_credential=ask.secret,
            authority=f"https://{host}/{ask.directory}",
            instance_discovery=False,  # it would be asked of Microsoft itself
            verify=ca_file,
        )
        got = app.acquire_token_by_refresh_token(ask.refresh_token, ["https://graph.microsoft.com/Mail.Read"])
        yield "access_token" in got
        app.http_client.close()
