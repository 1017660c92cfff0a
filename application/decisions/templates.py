"""What is decided about templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from application.decisions.deciding import Deciding
from domain.campaign.template import Template
from domain.errors import Missing
from domain.streams import template_stream


class TemplateDecisions(Deciding):
    def template(self, number: int) -> Template:
        """Raises Missing, also for one that was deleted."""
        template: Template = self._loaded(template_stream, number, "template")
        if template.is_deleted:
            raise Missing(f"there is no template {number}")
        return template

    def create_template(self, content: Mapping[str, Any], *, number: int, by: str) -> int:
        """`content` holds name, body (the SHA-256 of one that was kept), and, where not the default, type,
        subject and source. Returns the number."""
        template = Template.create(number, content, by=by, at=self._clock.now())
        self._append_new(template, f"there is a template {number} already")
        return number

    def edit_template(self, number: int, changes: Mapping[str, Any], *, by: str) -> int | None:
        return self._on(self.template, number, lambda template, at: template.edit(changes, by=by, at=at))

    def make_template_default(self, number: int, *, by: str) -> int | None:
        return self._on(self.template, number, lambda template, at: template.make_default(by=by, at=at))

    def delete_template(self, number: int, *, by: str) -> int | None:
        """That it is not the default is for the caller to see to."""
        return self._on(self.template, number, lambda template, at: template.delete(by=by, at=at))
