"""Trying SMTP settings, as listmonk's settings page does."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from flask import Blueprint
from pydantic import Field

from application.servers import Servers
from domain.errors import Missing
from domain.server.settings import LONGEST, AuthProtocol, TlsType
from domain.streams import Kind, kind_of, number_of
from web.http.contract import endpoint
from web.http.errors import Refusal
from web.http.services import services
from web.listmonk.shapes import Lenient

blueprint = Blueprint("listmonk_settings", __name__)


class SmtpTest(Lenient):
    """A block of listmonk's SMTP settings. Without a password that of the server `uuid` is taken, if it is
    the same host, port and user."""

    host: Annotated[str, Field(min_length=1, max_length=LONGEST["host"])]
    port: Annotated[int, Field(ge=1, le=65535)]
    auth_protocol: AuthProtocol | Literal[""] | None = None
    username: Annotated[str, Field(max_length=LONGEST["username"])] | None = None
    password: Annotated[str, Field(max_length=1000)] | None = None
    tls_type: TlsType | Literal[""] | None = None
    tls_skip_verify: bool | None = None
    hello_hostname: Annotated[str, Field(max_length=LONGEST["hello_hostname"])] | None = None
    email: Annotated[str, Field(min_length=3, max_length=254)]
    uuid: Annotated[str, Field(max_length=64)] | None = None

    def settings(self) -> dict[str, Any]:
        names = ("host", "port", "username", "tls_skip_verify", "hello_hostname")
        given = {name: value for name, value in self.given().items() if name in names}
        return {
            **given,
            "name": "test",
            "from_email": self.email,
            "auth_protocol": self.auth_protocol or "none",
            "tls_type": self.tls_type or "none",
        }


@endpoint(
    blueprint, "POST", "/api/settings/smtp/test",
    needs="configure", body=SmtpTest, answer=list[str], errors=(409,), changes_nothing=True,
)  # fmt: skip
def test_smtp(body: SmtpTest) -> list[str]:
    """Try SMTP settings

    Connects, encrypts and signs in; no e-mail is sent to `email`. Answers with the dialogue, without secrets;
    409 says what went wrong, and what to do about it.
    """
    probed = Servers(services()).probe(body.settings(), body.password or None, kept_server(body))
    if not probed.ok:
        raise Refusal(409, " ".join(part for part in (probed.error, probed.remedy) if part))
    return [f"{step.who}: {step.text}" for step in probed.steps] + list(probed.warnings)


def kept_server(body: SmtpTest) -> int | None:
    """The one whose password is meant when none is given."""
    try:
        uuid = UUID(body.uuid or "")
        if kind_of(uuid) is not Kind.SERVER:
            return None
        return services().application.server(number_of(uuid)).number
    except (ValueError, Missing):
        return None
