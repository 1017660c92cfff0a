"""A browser on its way to the provider and back."""

from __future__ import annotations

from flask import Flask
from werkzeug.test import TestResponse

from tests.web.accounts.identity_provider import IdentityProvider

HERE = "https://post.example.com"


class Visitor:
    """A browser on its way to the provider and back."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()

    def get(self, path: str) -> TestResponse:
        return self.client.get(path.removeprefix(HERE), base_url=HERE, headers={"Accept": "text/html"})

    def post(self, path: str, **fields: str) -> TestResponse:
        return self.client.post(
            path, base_url=HERE, data=fields, headers={"Accept": "text/html", "Origin": HERE}
        )

    def leave(self, wanted: str = "") -> str:
        answer = self.get(f"/sign-in/provider{'?next=' + wanted if wanted else ''}")
        assert answer.status_code == 303, answer.text
        return str(answer.location)

    def sign_in(self, there: IdentityProvider, wanted: str = "") -> TestResponse:
        return self.get(there.approve(self.leave(wanted)))

    def is_signed_in(self) -> bool:
        return self.get("/account").status_code == 200
