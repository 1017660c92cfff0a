"""The web part put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from domain.application import Postledger
from domain.clock import Clock
from projections.runner import Runner
from storage.log.append import Log
from storage.pool import Pool
from storage.secrets import Secrets
from web import (
    access,
    campaigns,
    compression,
    dashboard,
    deliveries,
    docs,
    errors,
    events,
    forecast_api,
    guard,
    health,
    listmonk,
    live,
    metrics,
    navigation,
    notices,
    page,
    policy,
    queue,
    servers,
    unsubscribe,
)
from web.broadcast import Broadcast
from web.messages import Messages
from web.overview import overview
from web.pages import campaign as campaign_page
from web.pages import (
    campaign_preview,
    campaign_start,
    own_account,
    provider_sign_in,
    server_form,
    sign_in,
    users,
)
from web.pages import campaigns as campaign_pages
from web.pages import deliveries as delivery_pages
from web.pages import imports as import_pages
from web.pages import lists as list_pages
from web.pages import log as log_pages
from web.pages import queue as queue_pages
from web.pages import servers as server_pages
from web.pages import settings as settings_pages
from web.pages import subscriber as subscriber_page
from web.pages import subscribers as subscriber_pages
from web.pages import templates as template_pages
from web.provider import Provider
from web.readings import Reader
from web.services import Services, reading
from web.settings import WebSettings

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
    forecast_api,
    policy,
    unsubscribe,
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
    pool: Pool,
    application: Postledger,
    clock: Clock,
    *,
    settings: WebSettings,
    preflight: Callable[[int], Sequence[str]] | None = None,
    secrets: Secrets | None = None,
    probe: Callable[[Mapping[str, Any], str], Any] | None = None,
    messages: Messages | None = None,
    provider: Provider | None = None,
) -> Flask:
    """A WSGI application. It starts no thread before somebody watches the dashboard.

    `preflight` says what is wrong with a campaign's texts, before it is started for the first time.
    `secrets` opens SMTP passwords and second factors; without it neither can be set or used.
    `probe` tries the settings of a server with a password and answers with the dialogue.
    `messages` makes previews and sends test e-mails.
    `provider` is whom people may sign in through, besides their password.
    """
    app = configured(Flask("web"), settings)
    app.extensions["postledger"] = Services(
        pool,
        application,
        clock,
        Runner(pool),
        Log(pool, clock),
        settings,
        preflight,
        secrets,
        probe,
        messages,
        provider,
    )
    app.extensions["postledger.broadcast"] = Broadcast(composer(app), largest=settings.streams)
    for part in (compression, errors, metrics, guard, access, notices, navigation, page, events):
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
    reader, kept = Reader(), cast(Services, app.extensions["postledger"])

    def compose() -> dict[str, str]:
        with app.app_context(), reading() as cursor:
            return dashboard.rendered(overview(reader.read(cursor, kept.clock.now())))

    return compose
