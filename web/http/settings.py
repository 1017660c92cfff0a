"""What the web part is told at its start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """`token_keys` sign the tokens in List-Unsubscribe, newest first. `public_url` is where people
    reach us, usually through a reverse proxy; under its host nothing but unsubscribing is answered before
    there are accounts. `bind` is the address that we listen on; `trusted_proxies` is how many proxies in
    front add to X-Forwarded-For, which is believed as far as that. `largest_body` is in bytes; `streams`
    is how many live pages one process feeds at once, `feeds` how many requests may wait for events."""

    token_keys: Sequence[bytes] = ()
    public_url: str | None = None
    bind: str = "127.0.0.1"
    trusted_proxies: int = 0
    largest_body: int = 65536
    streams: int = 16
    feeds: int = 8

    @property
    def public_host(self) -> str | None:
        return urlsplit(self.public_url).hostname if self.public_url else None
