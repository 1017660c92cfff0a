"""The server's side of AUTH (RFC 4954): PLAIN, LOGIN and CRAM-MD5."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping

CHALLENGE = b"<1896.697170952@sink.invalid>"
USER_NAME, PASSWORD = "VXNlcm5hbWU6", "UGFzc3dvcmQ6"


class Login:
    """One dialogue about who the client is."""

    def __init__(self, mechanism: str, users: Mapping[str, str]) -> None:
        self._mechanism = mechanism
        self._users = users
        self._answers: list[str] = []

    @property
    def challenge(self) -> str | None:
        """What to ask next, as a reply; None when everything was asked."""
        match self._mechanism, len(self._answers):
            case "LOGIN", 0:
                return f"334 {USER_NAME}"
            case "LOGIN", 1:
                return f"334 {PASSWORD}"
            case "CRAM-MD5", 0:
                return "334 " + b64encode(CHALLENGE).decode()
            case _, 0:
                return "334 "
            case _:
                return None

    def answer(self, line: bytes) -> None:
        self._answers.append(b64decode(line).decode())

    @property
    def user(self) -> str | None:
        """Who the answers prove it to be; None when they prove nothing."""
        answers, users = self._answers, self._users
        if self._mechanism == "CRAM-MD5":
            user, _, digest = answers[0].rpartition(" ")
            expected = hmac.new(users.get(user, "").encode(), CHALLENGE, "md5").hexdigest()
            return user if user in users and digest == expected else None
        parts = answers if self._mechanism == "LOGIN" else answers[0].split("\0")[1:]
        if len(parts) != 2 or parts[0] not in users:
            return None
        return parts[0] if users[parts[0]] == parts[1] else None
