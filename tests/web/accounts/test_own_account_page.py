"""What people do with their own account: the password, the sessions, the second factor."""

from __future__ import annotations

import re
from typing import Any

import pytest
import segno
from flask import Flask

from domain.accounts.one_time_password import STEP, address, code_at
from domain.clock import VirtualClock
from tests.web.accounts.browsers import PASSWORD, Browser, browser_of
from tests.web.world import World
from web.pages.accounts.user_agents import browser_words

pytestmark = pytest.mark.usefixtures("accounts")

OTHER = "quite another song"


def events(world: World) -> list[tuple[str, Any]]:
    """Those after the users were added."""
    with world.pool.transaction() as cursor:
        cursor.execute("SELECT topic, state FROM event_log WHERE position > 3 ORDER BY position")
        return list(cursor.fetchall())


def test_a_person_changes_the_password_and_stays_in_here_alone(app: Flask, world: World) -> None:
    here, elsewhere = browser_of(app, "auditor"), browser_of(app, "auditor")
    answer = here.post("/account/password", current=PASSWORD, new=OTHER, again=OTHER)
    assert (answer.status_code, answer.location) == (303, "/account")
    assert here.get("/account").status_code == 200
    assert elsewhere.get("/account").status_code == 303
    assert Browser(app.test_client()).sign_in("auditor").status_code == 403
    assert Browser(app.test_client()).sign_in("auditor", OTHER).status_code == 303
    assert events(world) == [("user.password_changed", {"by": "user:auditor"})]


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"current": OTHER, "new": OTHER, "again": OTHER}, "wrong password"),
        ({"current": PASSWORD, "new": OTHER, "again": "x"}, "does not match the new password"),
        ({"current": PASSWORD, "new": "short", "again": "short"}, "from 12 to 200"),
        ({"current": ""}, "wrong password"),
    ],
)
def test_a_password_is_not_changed_by_mistake(
    app: Flask, world: World, fields: dict[str, str], fault: str
) -> None:
    browser = browser_of(app, "auditor")
    answer = browser.post("/account/password", **fields)
    assert answer.status_code == 400
    assert fault in answer.text
    assert events(world) == []


def test_whoever_finds_an_open_browser_cannot_guess_the_password_there(app: Flask) -> None:
    browser = browser_of(app, "auditor")
    answers = [
        browser.post("/account/password", current=f"guess {n}", new=OTHER, again=OTHER).status_code
        for n in range(6)
    ]
    assert answers[0] == 400
    assert answers[-1] == 429


def test_a_person_ends_a_session_elsewhere_but_nobody_elses(app: Flask) -> None:
    here, elsewhere, other = (browser_of(app, name) for name in ("operator", "operator", "auditor"))
    numbers = re.findall('name="session" value="([0-9]+)"', here.get("/account").text)
    assert len(numbers) == 1, "not the one in use"
    others = re.findall('name="session" value="([0-9]+)"', other.get("/account").text)
    assert others == []
    other.post("/account/sessions/end", session=numbers[0])
    assert elsewhere.get("/account").status_code == 200
    assert here.post("/account/sessions/end", session=numbers[0]).status_code == 303
    assert elsewhere.get("/account").status_code == 303
    for value in ("", "x", "-1", "9" * 30):
        assert here.post("/account/sessions/end", session=value).status_code == 400


def drawn_code(page: str) -> tuple[bytearray, ...]:
    """The modules of the QR code, read back from the lines of the drawing, without its margin."""
    drawing = page.partition('class="qr-code"')[2]
    box = re.search(r'viewBox="0 0 (\d+) \d+"', drawing)
    path = re.search('stroke="#000" d="([^"]+)"', drawing)
    assert box
    assert path
    size = int(box[1])
    rows = [bytearray(size) for _ in range(size)]
    x, y = 0.0, 0.0
    for kind, first, second in re.findall(r"([Mmh])(-?[\d.]+)(?: ?(-?[\d.]+))?", path[1]):
        if kind == "h":
            for at in range(int(x), int(x + float(first))):
                rows[int(y)][at] = 1
            x += float(first)
        else:
            x, y = (float(first), float(second)) if kind == "M" else (x + float(first), y + float(second))
    assert not any(map(any, rows[:4])), "the margin"
    return tuple(row[4:-4] for row in rows[4:-4])


def test_a_person_sets_up_a_second_factor_and_removes_it(
    app: Flask, world: World, clock: VirtualClock
) -> None:
    browser = browser_of(app, "operator")
    page = browser.get("/account/second-factor").text
    secret = re.search('name="secret" value="([A-Z2-7]{32})"', page)
    assert secret
    assert drawn_code(page) == segno.make_qr(address(secret[1], "operator"), error="m").matrix
    assert 'aria-label="QR code of the key shown below"' in page
    code = code_at(secret[1], int(clock.now().timestamp()) // STEP)
    wrong = browser.post("/account/second-factor", secret=secret[1], code="000000", current=PASSWORD)
    assert wrong.status_code == 400
    assert "code is not valid now" in wrong.text
    assert secret[1] in wrong.text, "the app need not be set up again"
    kept = browser.post("/account/second-factor", secret=secret[1], code=code, current=PASSWORD)
    assert kept.status_code == 303
    assert browser.get("/account").status_code == 200
    assert Browser(app.test_client()).sign_in("operator").status_code == 403
    assert browser.post("/account/second-factor/remove", current=OTHER).status_code == 400
    assert browser.post("/account/second-factor/remove", current=PASSWORD).status_code == 303
    assert Browser(app.test_client()).sign_in("operator").status_code == 303
    assert events(world) == [
        ("user.second_factor_set", {"by": "user:operator"}),
        ("user.second_factor_removed", {"by": "user:operator"}),
    ]


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/142.0 Safari/537.36 Edg/142.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
            "Safari on iPhone",
        ),
        ("curl/8.1", "curl/8.1"),
        ("", ""),
    ],
)
def test_browsers_have_names(user_agent: str, words: str) -> None:
    assert browser_words(user_agent) == words
