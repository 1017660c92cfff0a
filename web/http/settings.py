"""What the web part is told at its start."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """`bind` is the address that we listen on; `trusted_proxies` is how many proxies in front add to
    X-Forwarded-For, which is believed as far as that. `largest_body` is in bytes; `streams` is how many live
    pages one process feeds at once, `feeds` how many requests may wait for events."""

    bind: str = "127.0.0.1"
    trusted_proxies: int = 0
    largest_body: int = 65536
    streams: int = 16
    feeds: int = 8
