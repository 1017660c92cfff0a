"""Applications, made as production makes them, for one test each.

What is compiled on the way is the same each time, and takes longer than many a test: the functions with which
Werkzeug builds addresses are kept by their rule, the templates by Jinja.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule

from application.accounts.provider import Provider
from application.installation import Installation
from web.app import create_app
from web.http.settings import WebSettings


@contextmanager
def application(
    installation: Installation, settings: WebSettings | None = None, provider: Provider | None = None
) -> Iterator[Flask]:
    with patch.object(Rule, "_compile_builder", _kept_builder):
        made = create_app(installation, settings=settings or WebSettings(), provider=provider)
    made.jinja_env.bytecode_cache = _TEMPLATES
    yield made
    made.extensions["postledger.broadcast"].close()


class _Templates(BytecodeCache):
    """By the hash of their source, which Jinja compares."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


_TEMPLATES = _Templates()
_BUILDERS: dict[tuple[str, str, bool], Callable[..., Any]] = {}
_compile_builder = Rule._compile_builder


def _kept_builder(rule: Rule, append_unknown: bool = True) -> Callable[..., Any]:
    key = rule.rule, repr(rule.defaults), append_unknown
    if key not in _BUILDERS:
        _BUILDERS[key] = _compile_builder(rule, append_unknown)
    return _BUILDERS[key]
