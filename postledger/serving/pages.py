"""The process that serves the pages and the API."""

from __future__ import annotations

from dataclasses import replace

from application.installation import PATIENCE
from postledger.config import Config
from postledger.logs import set_up_logs
from postledger.session import has_admin, open_session
from postledger.sign_in_provider import sign_in_provider
from web.app import create_app
from web.http.settings import WebSettings
from web.server import serve as serve_pages

CONNECTIONS = 12
STATEMENT_SECONDS = 5.0
"""What a page or a program asks of the database is given up then. The few things that may take longer say so
themselves (`allow`)."""


def run_web(config: Config) -> int:
    set_up_logs(config, "web")
    provider = sign_in_provider(config)
    with open_session(config, connections=CONNECTIONS, statement_timeout=STATEMENT_SECONDS) as session:
        settings = WebSettings(bind=config.bind, trusted_proxies=config.trusted_proxies)
        app = create_app(
            replace(session, secrets=session.secrets.loaded(), patience=PATIENCE),
            settings=settings,
            provider=provider,
        )
        serve_pages(app, config.bind, config.port, has_admin=has_admin(session.url))
    return 0
