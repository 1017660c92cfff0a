"""The web part put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from application.accounts.provider import Provider
from application.dashboard.query import DashboardQuery
from application.installation import Installation
from web import listmonk
from web.api import campaigns, deliveries, docs, events, forecasts, health, metrics, policy, queue, servers
from web.http import access, compression, errors, guard, heavy_requests, texts
from web.http.services import Services
from web.http.settings import WebSettings
from web.pages import navigation, notices, page
from web.pages.accounts import own_account, provider_sign_in, sign_in, users
from web.pages.campaigns import campaign as campaign_page
from web.pages.campaigns import campaign_preview, campaign_start
from web.pages.campaigns import campaigns as campaign_pages
from web.pages.campaigns import templates as template_pages
from web.pages.dashboard import dashboard, live
from web.pages.dashboard.broadcast import Broadcast
from web.pages.dashboard.overview import overview
from web.pages.log import log as log_pages
from web.pages.people import imports as import_pages
from web.pages.people import lists as list_pages
from web.pages.people import subscriber as subscriber_page
from web.pages.people import subscribers as subscriber_pages
from web.pages.people import subscription, unsubscribe
from web.pages.queue import deliveries as delivery_pages
from web.pages.queue import queue as queue_pages
from web.pages.servers import server_form
from web.pages.servers import servers as server_pages
from web.pages.settings import settings as settings_pages

RESOURCES = (
    queue,
    campaigns,
    servers,
    dashboard,
    live,
    health,
    metrics,
    docs,
    deliveries,
    events,
    forecasts,
    policy,
    unsubscribe,
    subscription,
    sign_in,
    provider_sign_in,
    own_account,
    users,
    campaign_pages,
    campaign_page,
    campaign_preview,
    campaign_start,
    queue_pages,
    delivery_pages,
    server_pages,
    server_form,
    settings_pages,
    log_pages,
    list_pages,
    import_pages,
    subscriber_pages,
    subscriber_page,
    template_pages,
)


def create_app(
    installation: Installation, *, settings: WebSettings, provider: Provider | None = None
) -> Flask:
    """A WSGI application. It starts no thread before somebody watches the dashboard. `provider` is whom
    people may sign in through, besides their password."""
    app = configured(Flask("web"), settings)
    app.extensions["postledger"] = Services.of(installation, settings, provider)
    app.extensions["postledger.heavy"] = heavy_requests.turns()
    app.extensions["postledger.broadcast"] = Broadcast(composer(app), largest=settings.streams)
    for part in (compression, errors, metrics, guard, texts, access, notices, navigation, page, events):
        part.install(app)
    for resource in (*RESOURCES, *listmonk.RESOURCES):
        app.register_blueprint(resource.blueprint)
    return app


def configured(app: Flask, settings: WebSettings) -> Flask:
    app.config["MAX_CONTENT_LENGTH"] = settings.largest_body
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=settings.trusted_proxies
        )
    return app


def composer(app: Flask) -> Callable[[], dict[str, str]]:
    """What makes the fragments of the live page, out of any request."""
    query = DashboardQuery(cast(Services, app.extensions["postledger"]))

    def compose() -> dict[str, str]:
        with app.app_context():
            return dashboard.rendered(overview(query.read()))

    return compose
