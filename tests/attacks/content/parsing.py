"""What parses text in the packages that texts from outside come into: read from the source."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from tests.installation import ROOT

PACKAGES = ("domain", "mail", "storage", "application", "web")
PARSES = set(
    """loads from_json model_validate_json validate_json reader DictReader ZipFile fromstring parseaddr
    getaddresses urlsplit urlparse parse_qs parse_qsl b64decode message_from_bytes message_from_string
    decode_header literal_eval strptime safe_load""".split()
)
SEARCHES = {"search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer"}
"""Of regular expressions."""


def what_parses() -> set[str]:
    """Functions, as `package.module.Class.method`."""
    return {name for package in PACKAGES for path in (ROOT / package).rglob("*.py") for name in _in(path)}


def _in(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    patterns = {
        name.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for name in node.targets
        if isinstance(name, ast.Name) and ast.unparse(node.value.func) == "re.compile"
    } | {"re"}
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    yield from _within(tree, module, patterns)


def _within(node: ast.AST, name: str, patterns: set[str]) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        inner = name
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            inner = f"{name}.{child.name}"
        elif isinstance(child, ast.Call) and _is_parsing(child.func, patterns):
            yield name
        yield from _within(child, inner, patterns)


def _is_parsing(called: ast.expr, patterns: set[str]) -> bool:
    whose, _, name = ast.unparse(called).rpartition(".")
    return name in PARSES or (name in SEARCHES and (whose in patterns or whose.strip("_").isupper()))


def called_by(parse: Callable[[str], Any], texts: list[str]) -> set[str]:
    """The functions of ours that are called for these texts, as `what_parses` names them."""
    found: set[str] = set()

    def called(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call":
            found.add(f"{frame.f_globals.get('__name__')}.{code.co_qualname.replace('.<locals>', '')}")

    sys.setprofile(called)
    try:
        for text in texts:
            parse(text)
    finally:
        sys.setprofile(None)
    return {name.partition(".<")[0] for name in found}


_WHY_NOT = {
    "what we wrote ourselves": """
        application.queue.past_capacity._facts application.rendering.child.answered
        application.rendering.renderers.Renderers.ask application.rendering.questions.parsed
        application.reservations._fact storage.secrets.Secrets._check
        storage.secrets.Secrets.decrypt web.api.cloud_events.cloud_event web.api.openapi.path_of
        web.http.idempotency.first web.pages.log.events.LoggedEvent.state web.pages.notices.notices""",
    "settings of whoever runs it": """
        application.accounts.accounts.Accounts._checked_password application.accounts.provider.is_trustworthy
        storage.postgres.binaries._major_in storage.postgres.embedded.EmbeddedServer._credentials
        storage.postgres.embedded.EmbeddedServer._run storage.postgres.service_login.make
        storage.postgres.service_login.service_url web.http.services.Services.public_host""",
    "a provider that its admins chose": """
        application.accounts.provider.Provider._json application.accounts.provider.word""",
    "one reply, of a length that take_reply bounds": """
        mail.smtp.session.SmtpSession._answer_challenges""",
    "paid for by size, as test_rendering_bounds holds": """
        mail.go_template.functions._date mail.go_template.functions._printf mail.template.filters._words_in
        mail.template.filters.formatted mail.template.go_values.printf mail.template.tests""",
    "a header line, which the server bounds at 8 KB": """
        web.http.guard.check_origin web.http.idempotency.slot_of web.http.if_match.asked_for
        web.http.if_match.WantedVersion.versions""",
    "asked through its door, in test_linear_doors or test_uploads": """
        web.http.contract.read_body web.http.texts.CheckedForm.parse web.http.texts.install.check
        web.listmonk.people.imports.parameters web.listmonk.people.imports.zip_of
        web.listmonk.shapes.ids_argument web.listmonk.transactional.sent""",
    "a pattern of so many digits at most": """
        storage.people.directory.find_list storage.people.directory.find_recipient""",
}
EXCUSED = {name: why for why, names in _WHY_NOT.items() for name in names.split()}
