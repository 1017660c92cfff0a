"""What people write is tried in processes that can be killed, and that know and reach nothing else."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from flask import Flask
from flask.testing import FlaskClient

from application.accounts.accounts import Accounts
from application.campaigns import previews
from application.rendering import child, renderers
from application.rendering.renderers import Renderer, Renderers
from application.turns import Crowded
from mail.template.render import MessageError
from tests.installation import wait_until

pytestmark = pytest.mark.starts_processes

IN_TIME = 4 * (renderers.SECONDS + renderers.START_SECONDS)
"""For some questions and what else a request does, on a busy machine."""

MUCH = "[a]: <" + "x" * 50_000 + ">\n\n" + "[a] " * 20_000
"""A gigabyte of links."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Renderers]:
    monkeypatch.setenv("POSTLEDGER_KEY", "a secret")
    made = Renderers(at_once=1)
    yield made
    made.close()


@pytest.fixture
def sleeper() -> Iterator[Renderer]:
    """A process that has started and waits to be asked."""
    made = Renderer()
    made.answer(b'["markdown", {"source": "*a*"}]')
    yield made
    made.close()


def proc(renderer: Renderer, name: str) -> Path:
    return Path(f"/proc/{renderer._process.pid}/{name}")


def test_such_a_process_has_no_secret_no_connection_and_few_means(
    monkeypatch: pytest.MonkeyPatch, sleeper: Renderer
) -> None:
    told = proc(sleeper, "environ").read_bytes() + proc(sleeper, "cmdline").read_bytes()
    assert b"POSTLEDGER" not in told
    assert {name.partition(b"=")[0] for name in proc(sleeper, "environ").read_bytes().split(b"\0")} <= {
        b"", b"LANG", b"PYTHONPATH", b"PYTHONDONTWRITEBYTECODE", b"LC_CTYPE"
    }  # fmt: skip
    assert sorted(int(one.name) for one in proc(sleeper, "fd").iterdir()) == [0, 1, 2]
    limits = {
        line[:25].strip(): line[25:].split() for line in proc(sleeper, "limits").read_text().splitlines()
    }
    assert limits["Max address space"][0] == str(child.MEMORY)
    assert int(limits["Max cpu time"][0]) < 60
    assert limits["Max core file size"][0] == limits["Max file size"][0] == limits["Max processes"][0] == "0"
    loaded = proc(sleeper, "maps").read_text()
    assert "psycopg2" not in loaded
    assert "_ssl" not in loaded


def test_what_takes_too_much_is_refused_and_the_next_is_answered(asked: Renderers) -> None:
    began = monotonic()
    with pytest.raises(MessageError, match=r"MemoryError|takes too much time or memory"):
        asked.ask("markdown", source=MUCH)
    assert monotonic() - began < IN_TIME
    assert asked.ask("markdown", source="*a*") == "<p><em>a</em></p>\n"


def test_what_does_not_answer_in_time_is_killed(asked: Renderers, monkeypatch: pytest.MonkeyPatch) -> None:
    asked.ask("markdown", source="a")
    (renderer,) = asked._idle
    os.kill(renderer._process.pid, signal.SIGSTOP)
    monkeypatch.setattr(renderers, "SECONDS", 0.2)
    with pytest.raises(MessageError, match="takes too much time or memory"):
        asked.ask("markdown", source="b")
    assert renderer._process.poll() == -signal.SIGKILL
    monkeypatch.undo()
    assert asked.ask("markdown", source="c") == "<p>c</p>\n"


def test_one_that_died_is_replaced(asked: Renderers) -> None:
    asked.ask("markdown", source="a")
    (renderer,) = asked._idle
    os.kill(renderer._process.pid, signal.SIGKILL)
    with pytest.raises(MessageError):
        asked.ask("markdown", source="b")
    assert asked.ask("markdown", source="c") == "<p>c</p>\n"


def test_one_ends_with_whoever_started_it(sleeper: Renderer) -> None:
    sleeper._socket.close()
    assert sleeper._process.wait(60) == 0


def test_too_many_at_once_are_told_to_come_again(asked: Renderers) -> None:
    asked.ask("markdown", source="a")
    (renderer,) = asked._idle
    os.kill(renderer._process.pid, signal.SIGSTOP)
    heard: list[object] = []

    def ask() -> None:
        try:
            heard.append(asked.ask("markdown", source="b"))
        except Crowded as crowded:
            heard.append(crowded.message)
            os.kill(renderer._process.pid, signal.SIGCONT)

    askers = [threading.Thread(target=ask) for _ in range(renderers.WAITING_OF_ONE + 2)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(60)
    assert heard.count("<p>b</p>\n") == renderers.WAITING_OF_ONE + 1
    assert heard.count("Too many previews and checks of templates are running. Try again soon.") == 1


def test_previews_of_one_key_that_take_long_keep_nobody_else_from_theirs(
    client: FlaskClient, accounts: Accounts, asked: Renderers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve of one: one is under way, four wait, the others are put off. Ada, who comes last, is next."""
    go_on, rendered, answers = threading.Event(), list[str](), list[tuple[str, int]]()
    monkeypatch.setattr(previews, "RENDERERS", asked)
    answered = Renderer.answer

    def slowly(renderer: Renderer, question: bytes) -> bytes:
        rendered.append("ada" if b"Dear reader" in question else "mallory")
        assert go_on.wait(60)
        return answered(renderer, question)

    monkeypatch.setattr(Renderer, "answer", slowly)
    keys = {name: accounts.create_key(name, ["read", "write"], by="local")[1] for name in ("mallory", "ada")}

    def preview(name: str) -> None:
        answer = client.application.test_client().post(
            "/api/templates/preview",
            data={"body": "Dear reader" if name == "ada" else "Slow", "template_type": "tx"},
            headers={"Authorization": f"Bearer {keys[name]}"},
        )
        answers.append((name, answer.status_code))

    askers = [threading.Thread(target=preview, args=("mallory",)) for _ in range(12)]
    for asker in askers:
        asker.start()
    wait_until(lambda: len(answers) == 12 - 1 - renderers.WAITING_OF_ONE)
    assert set(answers) == {("mallory", 503)}
    askers.append(threading.Thread(target=preview, args=("ada",)))
    askers[-1].start()
    wait_until(lambda: [place.asker for place in asked._turns._waiting].count("key:ada") == 1)
    go_on.set()
    for asker in askers:
        asker.join(60)
    assert rendered[:2] == ["mallory", "ada"]
    assert ("ada", 200) in answers
    assert answers.count(("mallory", 200)) == 1 + renderers.WAITING_OF_ONE


def test_what_is_larger_than_a_question_is_refused(asked: Renderers) -> None:
    with pytest.raises(MessageError, match="too large"):
        asked.ask("markdown", source="x" * child.LARGEST)


@pytest.mark.parametrize(
    "body",
    [
        "{{ ('f' * 900000)|int(0, 16) % 7 }}",
        "{% set x = 'a' * 900000 %}{{ x.strip(x) }}",
        "{% set x = 'a' * 900000 %}{{ ([x] * 9000)|sort|length }}",
        "{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}",
        "{{" * 32_000,
        "@TrackLink" + "http://" * 36_000,
    ],
)
def test_a_preview_is_answered_whatever_is_in_it(client: FlaskClient, app: Flask, body: str) -> None:
    began = monotonic()
    answer = client.post(
        "/api/templates/preview", data={"body": "{{ content }}" + body, "template_type": "campaign"}
    )
    assert answer.status_code in (200, 400, 413)
    assert monotonic() - began < IN_TIME
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("content_type", ["markdown", "html"])
def test_a_campaign_of_braces_is_refused_or_kept_in_time(client: FlaskClient, content_type: str) -> None:
    made = client.post("/api/lists", json={"name": "Everybody"}).get_json()["data"]
    began = monotonic()
    answer = client.post(
        "/api/campaigns",
        json={"name": "A", "subject": "A", "lists": [made["id"]], "body": "{" * 64_000,
              "content_type": content_type},
    )  # fmt: skip
    assert answer.status_code in (200, 400)
    assert monotonic() - began < IN_TIME
