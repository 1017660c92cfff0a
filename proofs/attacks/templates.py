"""Templates that would take for ever, and texts that would be read for ever, are ended in time."""

from __future__ import annotations

from collections.abc import Iterator

from proofs.attacked.client import HttpAnswer
from proofs.attacked.house import House
from proofs.attacked.watch import Watch
from proofs.finding import Finding

LONGEST = 6.0
"""Seconds until an answer comes, whatever is asked for, while e-mails are sent on two cores."""
HEALTH = 1.5
"""Seconds for a look at whether it lives, meanwhile."""

BIG = "('f'*900000)"
EXPENSIVE = (
    f"{{{{ {BIG}|int(0,16) % 7 }}}}",
    f"{{{{ {BIG}|int(0,16) // 3 }}}}",
    f"{{{{ {BIG}|int(0,16) is divisibleby 7 }}}}",
    "{{ ('ab'*400000).strip('ab'*400000) }}",
    "{{ ('ab'*400000)|trim('ab'*400000) }}",
    "{{ range(99999)|list|unique|list|length }}",
    "{{ (range(99999)|list + range(99999)|list)|max }}",
    f"{{{{ {BIG} is lower }}}}",
    "{% set a = range(99999)|list %}{% for i in range(9999) %}{{ a == a }}{% endfor %}",
    "{{ (range(99999)|list * 50)|sort|length }}",
    "{{ 9**9**9 }}",
    "{{ '%999999999d'|format(1) }}",
    "{{ 'a'*999999999 }}",
    "{{ 'a'|center(999999999) }}",
    "{{ ('a '*400000)|wordwrap(1)|length }}",
    "{{ ('<'*400000)|striptags|urlize }}",
    "{{ ('a'*400000)|replace('', 'b'*4000)|length }}",
    "{% for a in range(9999) %}{% for b in range(9999) %}{{ a * b }}{% endfor %}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{{ '{' * 50000 }}",
)
QUADRATIC: tuple[dict[str, str], ...] = (
    {"body": "{" * 64_000, "content_type": "markdown"},
    {"body": "[" * 64_000, "content_type": "markdown"},
    {"body": "*a_" * 20_000, "content_type": "markdown"},
    {"body": "> " * 30_000, "content_type": "markdown"},
    {"body": "`" * 64_000 + "a", "content_type": "markdown"},
    {"body": "<a href=" * 16_000, "content_type": "html"},
    {"body": "http://" * 36_000 + "@TrackLink", "content_type": "html"},
    {"body": "@TrackLink" + "http://a" * 32_000, "content_type": "html"},
    {"body": "{{ if " * 20_000, "content_type": "html"},
    {"body": "{{ (" * 20_000, "content_type": "html"},
    {"body": "{% if 1 %}" * 10_000, "content_type": "html"},
    {"body": "{{ " + "(" * 20_000, "content_type": "html"},
)  # fmt: skip


def attack(house: House) -> Iterator[Finding]:
    writing = house.program("read", "write")
    with Watch(house) as watch:
        answers = {
            text: writing.fill_in("/api/templates/preview", template_type="tx", body=text)
            for text in EXPENSIVE
        }
        yield _slowest("expensive_templates", answers)
        campaign = f"/api/campaigns/{house.draft('Previewed', lists=[house.list])}/preview"
        answers = {fields["body"][:20]: writing.fill_in(campaign, **fields) for fields in QUADRATIC}
        yield _slowest("quadratic_texts", answers)
    yield Finding("health_meanwhile", watch.longest, "seconds, the longest", HEALTH)


def _slowest(name: str, answers: dict[str, HttpAnswer]) -> Finding:
    slowest = max(answers, key=lambda text: answers[text].seconds)
    broken = [f"{text[:60]}: {answer}" for text, answer in answers.items() if answer.status in (0, 500)]
    seconds = answers[slowest].seconds if not broken else float("inf")
    return Finding(
        name, seconds, "seconds, the slowest", LONGEST,
        note="; ".join(broken[:3]) or f"{slowest[:60]}: {answers[slowest].status}",
    )  # fmt: skip
