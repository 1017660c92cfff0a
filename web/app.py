"""The web part put together."""

from __future__ import annotations

from flask import Flask

from domain.application import Postledger
from domain.clock import Clock
from projections.runner import Runner
from storage.pool import Pool
from web import (
    campaigns,
    dashboard,
    errors,
    guard,
    health,
    live,
    metrics,
    page,
    queue,
    readings,
    servers,
    unsubscribe,
)
from web.broadcast import Broadcast
from web.overview import overview
from web.services import Services
from web.settings import WebSettings

RESOURCES = (queue, campaigns, servers, dashboard, live, health, metrics, unsubscribe)


def create_app(pool: Pool, application: Postledger, clock: Clock, *, settings: WebSettings) -> Flask:
    """A WSGI application. It starts no thread before somebody watches the dashboard."""
    app = Flask("web")
    app.config["MAX_CONTENT_LENGTH"] = settings.largest_body
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["postledger"] = Services(pool, application, clock, Runner(pool), settings)
    app.extensions["postledger.broadcast"] = Broadcast(lambda: fragments(app), largest=settings.streams)
    errors.install(app)
    metrics.install(app)
    guard.install(app, settings.public_host)
    page.install(app)
    for resource in RESOURCES:
        app.register_blueprint(resource.blueprint)
    return app


def fragments(app: Flask) -> dict[str, str]:
    with app.app_context():
        return dashboard.rendered(overview(readings.read()))
