"""People and programs for the tests of accounts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from application.accounts.accounts import Accounts

PASSWORD = "four words of a song"


@dataclass
class Browser:
    """A person's: keeps cookies, and brings along the token of the last form it saw."""

    client: FlaskClient

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, headers={"Accept": "text/html"})

    def token(self, path: str) -> str:
        return token_in(self.get(path).text)

    def post(self, path: str, seen_at: str = "/account", **fields: object) -> TestResponse:
        """Sends the form at `path` as if it had been seen on the page `seen_at`, with the own password, which
        forms ask for that change what somebody signs in with."""
        token = self.token(seen_at)
        return self.client.post(
            path, data={"csrf": token, "current": PASSWORD, **fields}, headers={"Accept": "text/html"}
        )

    def sign_in(self, name: str, password: str = PASSWORD, **fields: object) -> TestResponse:
        return self.post("/sign-in", "/sign-in", name=name, password=password, **fields)


def token_in(page: str) -> str:
    found = re.search('name="csrf" value="([0-9a-f]+)"', page)
    return found[1] if found else ""


def browser_of(app: Flask, name: str) -> Browser:
    """The browser of somebody who has signed in."""
    browser = Browser(app.test_client())
    answer = browser.sign_in(name)
    assert answer.status_code == 303, answer.text
    return browser


def add_people(accounts: Accounts) -> None:
    """One of each role, named for it."""
    for role in ("admin", "operator", "auditor"):
        accounts.add_user(role, role, PASSWORD, by="test")


def browser_of_nobody(app: Flask) -> Browser:
    return Browser(app.test_client())


def is_signed_in(browser: Browser) -> bool:
    return browser.get("/account").status_code == 200


def cookie(browser: Browser) -> str:
    kept = browser.client.get_cookie("postledger-session")
    return kept.value if kept else ""
