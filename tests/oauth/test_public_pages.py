"""What is true of every page that people outside see."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.factories import make_link
from tests.oauth.consenting import come_back, press
from tests.oauth.gallery import RETURN_URL, gallery

pytestmark = pytest.mark.django_db  # what a fixture asks for later is too late to make the database

LEADS_TO_MICROSOFT = ("landing", "reconnect", "approval")
TEMPLATES = Path(__file__).resolve().parents[2] / "templates"


class Outline(HTMLParser):
    """Of a page: its headings, ids, addresses, forms and fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.points_to: list[str] = []
        self.links: list[str] = []
        self.actions: list[str] = []
        self.labelled: list[str] = []
        self.fields: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if "id" in given:
            self.ids.append(given["id"])
        for name in ("aria-labelledby", "aria-describedby", "for"):
            self.points_to += given.get(name, "").split()
        self.links += [given[name] for name in ("href", "src") if name in given]
        if tag == "form":
            self.actions.append(given["action"])
        if tag == "label":
            self.labelled.append(given["for"])
        if tag == "textarea" or (tag == "input" and given.get("type") != "hidden"):
            self.fields.append(given["id"])


@dataclass
class Seen:
    """The pages as they were shown once, and the token of the link by which they were opened."""

    pages: dict[str, Any]
    token: str


@pytest.fixture(scope="module")
def once() -> list[Seen]:
    return []


@pytest.fixture
def seen(request, once) -> Seen:
    if not once:
        world = request.getfixturevalue("world")
        once.append(Seen(gallery(request.getfixturevalue("client"), world), world.token))
    return once[0]


@pytest.fixture
def pages(seen) -> dict[str, Any]:
    return seen.pages


@pytest.fixture
def texts(pages) -> dict[str, str]:
    """Those with something to read, by name."""
    return {name: response.content.decode() for name, response in pages.items() if response.status_code != 303}


# The first is where the box stands for one.
ADMIN_CENTERS = ("http://127.0.0.1:", "https://entra.microsoft.com/")


def is_setup(name: str) -> bool:
    return name.startswith(("setup", "secret"))


def test_every_template_is_looked_at(pages):
    seen = {template.name for response in pages.values() for template in getattr(response, "templates", ())}
    there = {str(path.relative_to(TEMPLATES)) for path in (TEMPLATES / "consent").rglob("*.*")}

    assert there - seen == set()


def test_every_page_is_the_one_that_its_name_says(pages):
    redirects = {name for name, response in pages.items() if response.status_code == 303}
    elsewhere = {name for name, response in pages.items() if b"works only in the browser" in response.content}

    assert redirects == {"link", "start", "reloaded start"}
    assert elsewhere == {"elsewhere", "elsewhere, with a way to approve", "attempt elsewhere"}


def test_no_page_is_kept_or_framed(pages):
    for name, response in pages.items():
        policy = response.headers["Content-Security-Policy"]
        assert response.headers["Cache-Control"] == "no-store", name
        assert "frame-ancestors 'none'" in policy, name
        assert "script-src 'self'" in policy, name
        assert "unsafe" not in policy, name
        assert response.headers["X-Frame-Options"] == "DENY", name


def test_no_other_site_learns_an_address_and_where_there_is_a_token_not_even_our_own(pages):
    for name, response in pages.items():
        has_form = b"<form" in response.content
        expected = {"same-origin"} if has_form else {"same-origin", "no-referrer"}
        if name in ("link", "unusable", "not found") or name.startswith("hand on"):
            expected = {"no-referrer"}
        assert response.headers["Referrer-Policy"] in expected, name


def test_only_the_pages_whose_forms_lead_to_microsoft_may_post_elsewhere(pages, cloud):
    for name, response in pages.items():
        allowed = response.headers["Content-Security-Policy"].partition("form-action ")[2].partition(";")[0]
        leads = name.partition(",")[0].partition(" for ")[0] in LEADS_TO_MICROSOFT
        assert allowed == (f"'self' https: {cloud.sign_in_origin}" if leads else "'self'"), name


def test_the_forms_that_lead_to_microsoft_stand_only_where_they_may(texts):
    for name, text in texts.items():
        ends = {action.rstrip("/").rpartition("/")[2] for action in Outline(text).actions}
        leads = name.partition(",")[0].partition(" for ")[0] in LEADS_TO_MICROSOFT
        assert bool(ends & {"start", "approve"}) is leads, name
        assert ends <= {"start", "approve", "hand-on", "told", "rest", "administrator", "disconnect", "secret"}, name


def test_a_landing_page_of_a_real_cloud_allows_no_plain_http(db, client):
    _, token = make_link()
    policy = client.get(f"/c/{token}/", follow=True).headers["Content-Security-Policy"]

    assert "form-action 'self' https:;" in policy + ";"


def test_only_who_asks_their_administrator_is_shown_a_token_and_only_the_new_one(texts, seen):
    for name, text in texts.items():
        assert seen.token not in text, name
        tokens = set(re.findall(r"/c/([\w-]{20,})", unquote(text)))
        assert len(tokens) == (1 if name.startswith("hand on") else 0), name


def test_no_page_loads_or_links_anything_of_others_but_the_return_url(texts):
    for name, text in texts.items():
        abroad = {link for link in Outline(text).links if link.partition(":")[0] != "mailto" and "//" in link}
        goes_back = "going back" in name or name == "connected with less"
        if is_setup(name):  # which leads to pages of the admin center, and copies what is entered there
            abroad = {link for link in abroad if not link.startswith(ADMIN_CENTERS)}
            text = text.replace('<script src="/static/copy.js"></script>', "")
        assert {link.partition("?")[0] for link in abroad} == ({RETURN_URL} if goes_back else set()), name
        assert "<script" not in text, name
        assert " style=" not in text, name


def test_every_page_has_one_heading_of_its_own_and_none_out_of_order(texts):
    for name, text in texts.items():
        outline = Outline(text)
        deeper = [below - above for above, below in zip(outline.headings, outline.headings[1:], strict=False)]
        assert outline.headings.count(1) == 1, name
        assert outline.headings[0] == 1, name
        assert max(deeper, default=0) <= 1, name
        assert outline.tags.count("main") == 1, name
        assert '<html lang="en">' in text, name
        assert re.search(r"<title>\s*\S.* · Example Mail</title>", text), name


def test_what_an_id_points_to_is_there_once_and_every_field_has_a_label(texts):
    for name, text in texts.items():
        outline = Outline(text)
        assert len(outline.ids) == len(set(outline.ids)), name
        assert set(outline.points_to) <= set(outline.ids), name
        assert set(outline.fields) <= set(outline.labelled), name


def test_every_page_says_whom_to_ask(texts):
    for name, text in texts.items():
        assert 'href="mailto:help@example.com"' in text, name


def test_a_place_that_is_linked_to_is_there(texts):
    for name, text in texts.items():
        outline = Outline(text)
        ours = [link for link in outline.links if not link.startswith(("#", *ADMIN_CENTERS))]
        places = {urlsplit(link).fragment for link in ours} - {""}
        assert places <= {"ways"}, name
        assert {link[1:] for link in outline.links if link.startswith("#")} <= set(outline.ids), name
    assert 'id="ways"' in texts["landing"]


def test_pages_ask_the_database_little(client, world, django_assert_max_num_queries):
    with django_assert_max_num_queries(3):
        client.get(f"/c/{world.token}/")
    with django_assert_max_num_queries(5):
        client.get(f"/connect/{world.link.public_id}/")
    with django_assert_max_num_queries(8):
        location = press(client, world.link).headers["Location"]
    fields = world.sign_in(location)
    with django_assert_max_num_queries(1):
        come_back(client, {"code": "x"})
    with django_assert_max_num_queries(2):
        come_back(client, {"state": "x", "code": "x"})
    with django_assert_max_num_queries(34):
        response = come_back(client, fields)
    with django_assert_max_num_queries(4):
        client.get(response.headers["Location"])


def test_no_page_opens_a_session(pages):
    for name, response in pages.items():
        assert "sessionid" not in response.cookies, name


def test_no_page_shows_an_id_of_ours_that_could_be_guessed(texts):
    for name, text in texts.items():
        assert not re.search(r'(?:href|action)="/connect/\d+/', text), name
