"""Why something was not done. Nothing has changed when one of these is raised."""

from __future__ import annotations

from collections.abc import Collection, Mapping


class Refused(Exception):
    """A command that the rules do not allow, in words for the person who gave it.

    `fields` has one message for each field that was at fault, `field` is the first of them;
    both are empty (None) when the refusal is about no field. `version` is that of the campaign, server or
    template that refused, where it was one.
    """

    def __init__(self, message: str, field: str | None = None, *, version: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.version = version
        self.fields: dict[str, str] = {} if field is None else {field: message}

    @property
    def field(self) -> str | None:
        return next(iter(self.fields), None)

    @classmethod
    def for_fields(cls, fields: Mapping[str, str]) -> Refused:
        refused = cls("; ".join(fields.values()))
        refused.fields = dict(fields)
        return refused


class Missing(Refused):
    """There is no campaign or server of that number."""


class Outrun(Refused):
    """Others changed the same thing at the same moment, several times over."""


class VersionConflict(Refused):
    """The thing is at another version than those that the command was meant for."""

    def __init__(self, expected: Collection[int], version: int) -> None:
        versions = " or ".join(map(str, sorted(expected)))
        meant = f"this was meant for version {versions}" if versions else "If-Match names no version of this"
        super().__init__(f"{meant}; it is at version {version} now", version=version)
