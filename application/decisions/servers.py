"""What is decided about servers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from application.decisions.policy import PolicyDecisions
from domain.server.server import SmtpServer
from domain.server.settings import ServerSettings
from domain.streams import server_stream


class ServerDecisions(PolicyDecisions):
    def server(self, number: int) -> SmtpServer:
        """Raises Missing."""
        server: SmtpServer = self._loaded(server_stream, number, "server")
        return server

    def new_server_settings(self, settings: Mapping[str, Any]) -> ServerSettings:
        """As a server gets them that is added with `settings`. Raises Refused."""
        if not settings.get("from_email"):
            settings = {**settings, "from_email": self.policy().default_from}
        return ServerSettings.checked(settings)

    def add_server(self, settings: Mapping[str, Any], *, number: int, by: str) -> int:
        """Returns the number. That no other server has the name is for the caller to see to. Without a
        `from_email` it gets the policy's."""
        complete = self.new_server_settings(settings).as_dict()
        server = SmtpServer.add(number, complete, by=by, at=self._clock.now())
        self._append_new(server, f"there is a server {number} already")
        return number

    def change_server(self, number: int, changes: Mapping[str, Any], *, by: str) -> int | None:
        return self._on(self.server, number, lambda server, at: server.change(changes, by=by, at=at))

    def enable_server(self, number: int, *, by: str) -> int | None:
        return self._on(self.server, number, lambda server, at: server.enable(by=by, at=at))

    def disable_server(self, number: int, *, by: str) -> int | None:
        return self._on(self.server, number, lambda server, at: server.disable(by=by, at=at))

    def suspend_server(
        self, number: int, *, reason: str, until: datetime | str | None, by: str
    ) -> int | None:
        """`until` None: until somebody resumes it."""
        return self._on(self.server, number, lambda server, at: server.suspend(reason, until, by=by, at=at))

    def resume_server(self, number: int, *, by: str) -> int | None:
        return self._on(self.server, number, lambda server, at: server.resume(by=by, at=at))

    def note_password(self, number: int, *, removed: bool = False, by: str) -> int | None:
        """That the server's password, which is no part of the log, was set, replaced or removed."""
        return self._on(
            self.server, number, lambda server, at: server.note_password(removed=removed, by=by, at=at)
        )
