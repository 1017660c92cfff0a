"""The form for signing in: its token, its cookie, and the way back."""

from __future__ import annotations

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from tests.web.accounts.browsers import (
    PASSWORD,
    Browser,
    browser_of_nobody,
    is_signed_in,
    token_in,
)
from web.pages.accounts.sign_in import own_path

pytestmark = pytest.mark.usefixtures("accounts")


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app.test_client())


def test_a_sign_in_that_another_site_began_is_not_taken(app: Flask) -> None:
    foreign = browser_of_nobody(app).token("/sign-in")
    browser = browser_of_nobody(app)
    for data in ({"csrf": foreign}, {"csrf": ""}, {}, {"csrf": "ü"}):
        browser.get("/sign-in")
        answer = browser.client.post("/sign-in", data={"name": "admin", "password": PASSWORD, **data})
        assert answer.status_code == 403
        assert "had expired" in answer.text
    assert not is_signed_in(browser)


def test_the_cookie_is_kept_from_scripts_and_other_sites(browser: Browser) -> None:
    said = browser.sign_in("admin").headers["Set-Cookie"]
    assert said.startswith("postledger-session=")
    assert "HttpOnly" in said
    assert "SameSite=Lax" in said
    assert "Path=/" in said
    assert "Domain" not in said


@pytest.mark.parametrize(
    "how", [{"base_url": "https://localhost"}, {"base_url": "http://post.example.com"}], ids=["tls", "proxy"]
)
def test_over_tls_the_cookie_never_leaves_it(app: Flask, how: dict[str, str]) -> None:
    client = app.test_client()
    page = client.get("/sign-in", **how)
    visit = next(said for said in page.headers.getlist("Set-Cookie") if "visit" in said)
    assert visit.startswith("__Host-postledger-visit=")
    data = {"csrf": token_in(page.text), "name": "admin", "password": PASSWORD}
    headers = {"Cookie": visit.partition(";")[0]}
    said = client.post("/sign-in", data=data, headers=headers, **how).headers["Set-Cookie"]
    assert said.startswith("__Host-postledger-session=")
    assert "Secure" in said
    assert page.headers["Strict-Transport-Security"]


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/x\\..\\..//evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "///evil.example",
        "/" + "x" * 3000,
    ],
)
def test_the_way_back_leads_to_no_other_site(browser: Browser, wanted: str) -> None:
    assert browser.sign_in("admin", next=wanted).location == "/"


@given(st.text("/\\.:@?#%\t\n ae", max_size=12))
def test_whatever_is_asked_for_the_way_back_begins_with_one_slash(text: str) -> None:
    found = own_path(text)
    assert found.startswith("/")
    assert not found.startswith(("//", "/\\"))
    assert found.isprintable()
