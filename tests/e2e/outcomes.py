"""What there is to come out of a consent of one person with one link, and the customers that the tests want."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.e2e.customers import KIM, Customer, Customers, Wanted

ANY, MANY, PERSONAL = "AzureADandPersonalMicrosoftAccount", "AzureADMultipleOrgs", "PersonalMicrosoftAccount"
LONG_AGO = "2020-01-01T00:00:00Z"
Arrange = Callable[[Customer, Customers], object]


@dataclass(frozen=True)
class Case:
    """One person follows one link, and Microsoft sends them back: what they read, and what is stored."""

    heading: str
    sentence: str
    stored: tuple[str, str]
    who: str = "Ana Costa"
    answer: str = "Accept"
    wanted: Wanted = Wanted()
    arrange: Arrange = lambda customer, customers: None
    script: bool = True


@dataclass(frozen=True)
class Stop:
    """One person follows one link, and Microsoft keeps them; what the number is explained with."""

    number: int
    heading: str
    sentence: str
    who: str = ""  # whom they choose there, if they come so far
    wanted: Wanted = Wanted()
    arrange: Arrange = lambda customer, customers: None


def fault(what: int | str, **more: Any) -> Arrange:
    return lambda customer, customers: customer.fault(what, **more)


def of(directory: str, *, issued_there: bool = False) -> Arrange:
    """An account of this directory comes back. Microsoft lets none in; what is shown is what would be said then."""

    def arrange(customer: Customer, customers: Customers) -> None:
        tid = customers.directory(directory)
        issuer = {"iss": f"{customers.token_origin}/{tid}/v2.0"} if issued_there else {}
        customer.fault("id_token", grant_type="authorization_code", change={"tid": tid, **issuer})

    return arrange


CASES = {
    "connected": Case(
        "Your mailbox is connected", "There is nothing more for you to do.", ("connected", ""), script=False
    ),
    "connected, a personal account": Case(
        "Your mailbox is connected",
        "kim@outlook.example",
        ("connected", ""),
        who=KIM,
        wanted=Wanted(audience=ANY),
    ),
    "declined": Case(
        "You did not accept",
        "Nothing was connected and nothing of your account was stored.",
        ("declined", "user_declined"),
        answer="Cancel",
    ),
    "back without an answer": Case(
        "You came back without an answer",
        "You left Microsoft’s page without accepting or declining.",
        ("cancelled", "cancelled"),
        who=KIM,
        answer="",
        wanted=Wanted(audience=PERSONAL),
        arrange=fault("cancel"),
    ),
    "another account": Case(
        "This is another account than the one expected",
        "Nothing of it was stored.",
        ("rejected", "wrong_account"),
        who="Ben Dahl",
        wanted=Wanted(links={"link": {"expected_address": "ana@alder.example"}}),
    ),
    "another directory": Case(
        "This account is of another organization",
        "Nothing of it was stored.",
        ("rejected", "wrong_directory"),
        wanted=Wanted(audience=MANY, shared=True, expected_directory="Alder Logistics"),
        arrange=of("Elm Estates"),
    ),
    "a guest": Case(
        "You are a guest in this organization",
        "A guest’s mailbox is not there but in the organization the account comes from.",
        ("rejected", "guest"),
        who="Eli Berger",
        arrange=lambda customer, customers: customers.invite("Eli Berger", "Alder Logistics"),
    ),
    "a personal account for work": Case(
        "A work or school account is needed",
        "Nothing of it was stored.",
        ("rejected", "personal_account"),
        wanted=Wanted(audience=MANY),
        arrange=of("consumers", issued_there=True),
    ),
    "a work account for home": Case(
        "A personal account is needed",
        "Nothing of it was stored.",
        ("rejected", "work_account"),
        who=KIM,
        wanted=Wanted(audience=PERSONAL),
        arrange=of("Elm Estates"),
    ),
    "no mailbox": Case(
        "The account has no mailbox",
        "check that the account has a license and a mailbox in Exchange Online",
        ("rejected", "no_mailbox"),
        who="Noor Aziz",
        arrange=lambda customer, customers: customers.microsoft.set_mailbox(customers.people["Noor Aziz"], False),
    ),
    "conditional access": Case(
        "A rule of your organization stopped the sign-in",
        "AADSTS53003",
        ("refused", "conditional_access"),
        arrange=fault(53003, grant_type="authorization_code"),
    ),
    "microsoft slow": Case(
        "Your mailbox is connected",
        "There is nothing more for you to do.",
        ("connected", ""),
        arrange=fault("slow", seconds=4, grant_type="authorization_code"),
    ),
    "microsoft down": Case(
        "Microsoft is out of order at the moment",
        "Microsoft’s own service has a fault",
        ("unreachable", "service_unavailable"),
        arrange=fault("down"),
    ),
}

STOPS = {
    "app disabled": Stop(
        7000112,
        "The app is switched off",
        "switch the app on under Enterprise applications in Entra",
        arrange=lambda customer, customers: customers.microsoft.disable_app(customer.client_id, customer.directory),
    ),
    "redirect URI missing": Stop(
        50011,
        "Microsoft does not know the way back",
        "It is not your fault",
        wanted=Wanted(redirect_uris=("https://app.example/elsewhere",)),
    ),
    "not assigned": Stop(
        50105,
        "You are not on the list for this app",
        "add the account to the app’s users under Enterprise applications in Entra",
        who="Ana Costa",
        arrange=lambda customer, customers: customers.microsoft.require_assignment(
            customer.client_id, customer.directory
        ),
    ),
    "conditional access at sign-in": Stop(
        53003,
        "A rule of your organization stopped the sign-in",
        "Entra’s sign-in logs name the policy that stopped it",
        who="Ana Costa",
        arrange=fault(53003, grant_type="authorize"),
    ),
    "an account from elsewhere": Stop(
        50020,
        "This account is of another organization",
        "Nothing of it was stored.",
        who="Finn Roy",
        wanted=Wanted(audience=MANY, shared=True, expected_directory="Alder Logistics"),
    ),
    "a personal account among organizations": Stop(
        500208,
        "Another kind of account is needed",
        "Microsoft tells work or school accounts from personal ones",
        who=KIM,
        wanted=Wanted(audience=MANY),
    ),
}

WALKS = {
    "with less": Wanted(),
    "asked": Wanted("Birch Legal"),
    "requested": Wanted("Cedar Clinic"),
    "for everybody": Wanted("Birch Legal"),
    "not approved": Wanted("Birch Legal"),
    "reconnected": Wanted(connected="Ana Costa", links={"link": {"purpose": "reconnect"}}),
    "federated": Wanted("Dogwood Foods", links={"link": {"expected_address": "dan@dogwood.example"}}),
    "copied": Wanted(),
    "ended": Wanted(
        links={
            "used": {"uses": 1},
            "revoked": {"revoked_at": LONG_AGO},
            "expired": {"expires_at": LONG_AGO},
        }
    ),
    "disconnected": Wanted(),
    "half done": Wanted(),
    "down before": Wanted("Fir Foundation"),
    "secret expired": Wanted(),
    "spreading": Wanted("Elm Estates"),
}
