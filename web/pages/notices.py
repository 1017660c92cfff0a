"""What the next page says about what was just done (Post/Redirect/Get), kept in a cookie until then."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from typing import Literal

from flask import Flask, Response, current_app, g, request

from web.http.cookies import is_secure

COOKIE = "postledger-notices"
LONGEST = 500
MOST = 5

Tone = Literal["good", "warn", "bad"]


def say(text: str, tone: Tone = "good") -> None:
    """To be called before a redirect."""
    g.setdefault("said", []).append([tone, text[:LONGEST]])


def notices() -> list[tuple[str, str]]:
    """(tone, text) pairs. Telling them forgets them."""
    text = request.cookies.get(COOKIE)
    if not text:
        return []
    g.notices_told = True
    try:
        signature, _, packed = text.partition(".")
        if not hmac.compare_digest(signature, signed(packed)):
            return []
        return [(tone, said) for tone, said in json.loads(base64.urlsafe_b64decode(packed))]
    except (ValueError, TypeError, binascii.Error):
        return []


def install(app: Flask) -> None:
    app.jinja_env.globals["notices"] = notices

    @app.after_request
    def keep(response: Response) -> Response:
        if said := g.get("said"):
            packed = base64.urlsafe_b64encode(json.dumps(said[-MOST:]).encode()).decode()
            response.set_cookie(
                COOKIE,
                f"{signed(packed)}.{packed}",
                max_age=60,
                httponly=True,
                samesite="Lax",
                secure=is_secure(),
            )
        elif g.get("notices_told"):
            response.delete_cookie(COOKIE, httponly=True, samesite="Lax", secure=is_secure())
        return response


def signed(packed: str) -> str:
    key: bytes = current_app.extensions["postledger.form_key"]
    return hmac.digest(key, b"notices " + packed.encode(), "sha256").hex()
