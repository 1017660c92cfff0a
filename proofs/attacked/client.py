"""A stranger's HTTP client: whatever it is told, it sends, with no help from a library that knows better."""

from __future__ import annotations

import http.client
import json
import re
import time
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

PATIENCE = 60.0
OWN = "127.0.0.1"
FORM = "application/x-www-form-urlencoded"
TOKEN = re.compile(r'name="csrf"[^>]*value="([^"]+)"|value="([^"]+)"[^>]*name="csrf"')


@dataclass(frozen=True)
class HttpAnswer:
    """`seconds` is how long it took; `status` 0 that nothing came."""

    status: int
    text: str
    headers: dict[str, str]
    seconds: float
    cookies: tuple[str, ...] = ()

    @property
    def is_refused(self) -> bool:
        return 400 <= self.status < 500

    @property
    def data(self) -> Any:
        return json.loads(self.text)["data"]

    def __str__(self) -> str:
        return f"{self.status} {' '.join(self.text.split())[:160]}"


def ask(
    port: int, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None,
    patience: float = PATIENCE,
    source: str = OWN,
) -> HttpAnswer:  # fmt: skip
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience, source_address=(source, 0))
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
        told = {name.lower(): value for name, value in response.getheaders()}
        cookies = tuple(response.headers.get_all("Set-Cookie", ()))
        return HttpAnswer(response.status, text, told, time.monotonic() - began, cookies)
    except (OSError, http.client.HTTPException) as error:
        return HttpAnswer(0, repr(error), {}, time.monotonic() - began)
    finally:
        connection.close()


@dataclass
class Program:
    """Asks with a key; with none it is anybody."""

    port: int
    key: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, given: Any = None, **headers: str) -> HttpAnswer:
        """`given` is sent as JSON, or as it is when it is bytes."""
        told = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.key is not None:
            told["Authorization"] = f"Bearer {self.key}"
        if given is not None and not isinstance(given, bytes):
            told.setdefault("Content-Type", "application/json")
            given = json.dumps(given).encode()
        return ask(self.port, method, path, given, told)

    def fill_in(self, path: str, **fields: str) -> HttpAnswer:
        """As a form, in the way of listmonk's clients."""
        return self.ask("POST", path, urlencode(fields).encode(), **{"Content-Type": FORM})


@dataclass
class Browser:
    """Asks with cookies, and sends the tokens of the forms that it was shown."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    source: str = OWN

    def get(self, path: str) -> HttpAnswer:
        return self._ask("GET", path)

    def post(self, page: str, path: str, **values: str) -> HttpAnswer:
        """Fills in the form on `page` that goes to `path`."""
        found = TOKEN.search(self.get(page).text)
        token = (found[1] or found[2]) if found else ""
        body = urlencode({"csrf": token, **values}).encode()
        return self._ask("POST", path, body, {"Content-Type": FORM})

    def sign_in(self, name: str, password: str) -> HttpAnswer:
        return self.post("/sign-in", "/sign-in", name=name, password=password, code="", next="/")

    @property
    def is_signed_in(self) -> bool:
        return self.get("/account").status == 200

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> HttpAnswer:
        kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        told = {
            **self.headers,
            **(headers or {}),
            "Origin": f"http://127.0.0.1:{self.port}",
            "Accept": "text/html",
        }
        if kept:
            told["Cookie"] = kept
        answer = ask(self.port, method, path, body, told, source=self.source)
        for cookie in answer.cookies:
            self.cookies.update({name: morsel.value for name, morsel in SimpleCookie(cookie).items()})
        return answer
