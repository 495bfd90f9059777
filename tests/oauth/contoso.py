"""One customer at the sandbox: a directory, an app with a secret, a person, and the client that speaks for the app."""

from oauth.entra import EntraClient
from tenants.scopes import request_scopes

REDIRECT_URI = "https://app.example/oauth/callback/sandbox/"
ASKED = ["Mail.ReadOnly", "Mail.Send"]
GRANTED = ("Mail.Read", "Mail.Send", "MailboxSettings.Read", "User.Read")


class Contoso:
    def __init__(self, microsoft, cloud):
        self.microsoft, self.cloud = microsoft, cloud
        self.directory = microsoft.add_directory("Contoso", "contoso.example")["id"]
        self.app = microsoft.add_app(directory=self.directory, redirect_uris=[REDIRECT_URI])["client_id"]
        self.secret = microsoft.add_secret(self.app)
        self.person = microsoft.add_person(self.directory, "Ada Example", "Ada@contoso.example")
        self.client = self.client_with()
        self.scopes = request_scopes(ASKED, cloud)

    def client_with(self, **changes):
        given = {"directory": self.directory, "client_id": self.app, "secret": self.secret["value"]} | changes
        return EntraClient(self.cloud, **given)

    def begin(self, **changes):
        return self.client.begin(scopes=self.scopes, redirect_uri=REDIRECT_URI, **changes)

    def answer(self, flow, answer="accept"):
        return self.microsoft.sign_in(flow["auth_uri"], self.person["oid"], answer).fields

    def grant(self):
        flow = self.begin()
        return self.client.redeem(flow, self.answer(flow))

    def asked_for(self, grant_type):
        return [r for r in self.microsoft.token_requests() if r["grant_type"] == grant_type]
