"""Microsoft's numbers all the way: said by the sandbox's token endpoint, read by the real MSAL, judged by the client.

Who must act and what is touched are written out here, so that the table of numbers cannot agree with itself.
"""

import pytest

from oauth.errors import EntraRefused, EntraUnreachable

from .contoso import Contoso

OPERATOR, ADMIN, OWNER = "operator", "tenant_admin", "mailbox_owner"
REGISTRATION, CONNECTION, REQUEST = "registration", "connection", "request"

# (number, who must act, what it is about)
AT_REFRESH = [
    (50034, ADMIN, CONNECTION),
    (50053, ADMIN, CONNECTION),
    (50055, OWNER, CONNECTION),
    (50057, ADMIN, CONNECTION),
    (50072, OWNER, CONNECTION),
    (50074, OWNER, CONNECTION),
    (50076, OWNER, CONNECTION),
    (50078, OWNER, CONNECTION),
    (50079, OWNER, CONNECTION),
    (50085, OWNER, CONNECTION),
    (50089, OWNER, CONNECTION),
    (50097, OWNER, CONNECTION),
    (50105, ADMIN, CONNECTION),
    (50129, OWNER, CONNECTION),
    (50131, ADMIN, CONNECTION),
    (50132, OWNER, CONNECTION),
    (50133, OWNER, CONNECTION),
    (50158, OWNER, CONNECTION),
    (50173, OWNER, CONNECTION),
    (53000, ADMIN, CONNECTION),
    (53001, ADMIN, CONNECTION),
    (53002, ADMIN, CONNECTION),
    (53003, ADMIN, CONNECTION),
    (65001, OWNER, CONNECTION),
    (70000, OWNER, CONNECTION),
    (70008, OWNER, CONNECTION),
    (70043, OWNER, CONNECTION),
    (135011, OWNER, CONNECTION),
    (530032, ADMIN, CONNECTION),
    (530035, ADMIN, CONNECTION),
    (700003, OWNER, CONNECTION),
    (700082, OWNER, CONNECTION),
    (700084, OWNER, CONNECTION),
    (9002313, OPERATOR, CONNECTION),
    (9002341, OWNER, CONNECTION),
]
AT_CLIENT_CREDENTIALS = [
    (50001, OPERATOR, REGISTRATION),
    (50012, OPERATOR, REGISTRATION),
    (50048, OPERATOR, REGISTRATION),
    (50059, OPERATOR, REGISTRATION),
    (50194, OPERATOR, REGISTRATION),
    (70001, OPERATOR, REGISTRATION),
    (70002, OPERATOR, REGISTRATION),
    (70011, OPERATOR, REGISTRATION),
    (70021, OPERATOR, REGISTRATION),
    (90002, OPERATOR, REGISTRATION),
    (90038, OPERATOR, REGISTRATION),
    (90130, OPERATOR, REGISTRATION),
    (500011, ADMIN, REGISTRATION),
    (650052, ADMIN, REGISTRATION),
    (650056, OPERATOR, REGISTRATION),
    (650057, OPERATOR, REGISTRATION),
    (700011, OPERATOR, REGISTRATION),
    (700016, OPERATOR, REGISTRATION),
    (700024, OPERATOR, REGISTRATION),
    (700025, OPERATOR, REGISTRATION),
    (700027, OPERATOR, REGISTRATION),
    (700030, OPERATOR, REGISTRATION),
    (700222, OPERATOR, REGISTRATION),
    (900023, OPERATOR, REGISTRATION),
    (900382, OPERATOR, REGISTRATION),
    (900439, OPERATOR, REGISTRATION),
    (1000031, ADMIN, REGISTRATION),
    (7000112, ADMIN, REGISTRATION),
    (7000215, OPERATOR, REGISTRATION),
    (7000216, OPERATOR, REGISTRATION),
    (7000222, OPERATOR, REGISTRATION),
    (9002331, OPERATOR, REGISTRATION),
    (9002332, OPERATOR, REGISTRATION),
]
AT_REDEMPTION = [
    (28002, OPERATOR, REGISTRATION),
    (28003, OPERATOR, REGISTRATION),
    (50011, OPERATOR, REGISTRATION),
    (54005, OWNER, REQUEST),
    (65001, OWNER, CONNECTION),
    (70003, OPERATOR, REQUEST),
    (70004, OPERATOR, REGISTRATION),
    (70008, OWNER, CONNECTION),
    (90013, OPERATOR, REQUEST),
    (90014, OPERATOR, REQUEST),
    (90056, OPERATOR, REQUEST),
    (90100, OPERATOR, REQUEST),
    (501481, OPERATOR, REQUEST),
    (700005, OPERATOR, REQUEST),
    (700022, OPERATOR, REGISTRATION),
    (700023, OPERATOR, REGISTRATION),
    (900144, OPERATOR, REQUEST),
    (7000215, OPERATOR, REGISTRATION),
    (7000218, OPERATOR, REGISTRATION),
    (7000222, OPERATOR, REGISTRATION),
]
REFUSED = [
    *(("refresh_token", *row) for row in AT_REFRESH),
    *(("client_credentials", *row) for row in AT_CLIENT_CREDENTIALS),
    *(("authorization_code", *row) for row in AT_REDEMPTION),
]
PASSING = [50000, 50033, 50087, 50196, 51005, 70012, 90006, 90012, 90024, 90033, 90036, 90055]
THROTTLED = (50196, 90055)


@pytest.fixture
def contoso(microsoft, cloud):
    return Contoso(microsoft, cloud)


def asks(contoso):
    """Each call of the token endpoint, ready to be made."""
    grant, flow = contoso.grant(), contoso.begin()
    answer = contoso.answer(flow)
    return {
        "refresh_token": lambda: contoso.client.refresh(grant.refresh_token, contoso.scopes),
        "client_credentials": contoso.client.app_token,
        "authorization_code": lambda: contoso.client.redeem(flow, answer),
    }


@pytest.mark.parametrize(("grant_type", "code", "actor", "scope"), REFUSED)
def test_a_refusal_says_who_must_act_and_what_it_is_about(contoso, grant_type, code, actor, scope):
    ask = asks(contoso)[grant_type]
    contoso.microsoft.set_fault(code, grant_type=grant_type)
    with pytest.raises(EntraRefused) as caught:
        ask()
    assert caught.value.codes == (code,)
    assert (caught.value.fault.actor, caught.value.fault.scope) == (actor, scope)


@pytest.mark.parametrize("code", PASSING)
def test_what_passes_by_itself_is_no_refusal_of_anything(contoso, code):
    ready = asks(contoso)
    contoso.microsoft.set_fault(code)
    for ask in ready.values():
        with pytest.raises(EntraUnreachable) as caught:
            ask()
        assert caught.value.throttled == (code in THROTTLED)
        assert caught.value.retry_after == (60 if code == 90055 else None)


@pytest.mark.parametrize("style", ["spaces", "lines"])
def test_a_refusal_is_read_alike_whichever_way_its_trailers_are_set_off(contoso, style):
    contoso.microsoft.set_trailers(style)
    flow = contoso.begin()
    with pytest.raises(EntraRefused) as caught:
        contoso.client.redeem(flow, contoso.answer(flow, "decline"))
    assert (caught.value.codes, caught.value.fault.kind) == ((65004,), "user_declined")
    assert caught.value.trace_id
    assert caught.value.correlation_id
