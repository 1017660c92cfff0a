"""The dashboard: one page, made of the same fragments that the live stream sends."""

from __future__ import annotations

from flask import Blueprint, current_app, render_template

from web.http.access import needs
from web.http.services import services
from web.pages.dashboard.live import broadcast
from web.pages.dashboard.overview import COMMANDS, Overview

blueprint = Blueprint("dashboard", __name__)

FRAGMENTS = {
    "headline": "headline",
    "alerts": "card",
    "start": "card start",
    "queue": "card",
    "throughput": "card throughput",
    "capacity": "card",
    "oldest": "card",
    "campaigns": "card",
    "servers": "card",
    "usage": "card throughput",
    "errors": "card",
}
"""Names in the order of the page, with their classes; each is a template in templates/dashboard/."""


@blueprint.get("/")
@needs("read")
def page() -> str:
    return render_template(
        "dashboard/dashboard.html",
        edition=broadcast().edition(),
        order=list(FRAGMENTS),
        classes=FRAGMENTS,
        now=services().clock.now(),
    )


def rendered(shown: Overview) -> dict[str, str]:
    values = {"o": shown, "commands": COMMANDS}
    templates = {name: current_app.jinja_env.get_template(f"dashboard/{name}.html") for name in FRAGMENTS}
    return {name: template.render(values).strip() for name, template in templates.items()}
