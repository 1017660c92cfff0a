"""The demonstration, as somebody sees it who starts it on a machine of theirs."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.installation import PATIENCE, Running, environment, processes_of, wait_until

pytestmark = pytest.mark.starts_processes

COUNTED = {"recipients", "sent_per_server", "failed", "unknown", "duplicates", "seconds"}
NUMBER = re.compile(r"reader(\d+)@example\.com")


class Once(NamedTuple):
    folder: Path
    result: subprocess.CompletedProcess[str]
    left: dict[int, str]


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    folder = tmp_path_factory.mktemp("demo")
    result = subprocess.run(
        [sys.executable, "-m", "postledger", "demo", "--once"], cwd=folder, env=environment(folder),
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    return Once(folder, result, processes_of(folder))


def test_it_sends_to_everybody_once_and_counts_it_on_the_last_line(once: Once) -> None:
    assert once.result.returncode == 0, once.result.stdout + once.result.stderr
    counted = json.loads(once.result.stdout.splitlines()[-1])
    assert counted.keys() == COUNTED
    assert counted["recipients"] == sum(counted["sent_per_server"].values()) == 500
    assert (counted["failed"], counted["unknown"], counted["duplicates"]) == (0, 0, 0)
    assert all(counted["sent_per_server"][name] > 0 for name in ("alpha", "beta", "gamma"))


def test_it_leaves_no_process_behind(once: Once) -> None:
    assert once.left == {}


def test_the_letters_are_there_to_read_each_for_its_reader(once: Once) -> None:
    readers = set()
    for file in (once.folder / "var" / "demo-mail").glob("*/*.eml"):
        letter = message_from_bytes(file.read_bytes(), policy=default)
        assert not letter.defects
        number = NUMBER.search(letter["To"])
        assert number
        readers.add(number.group(1))
        first_name = letter["To"].addresses[0].display_name.split()[0]
        assert first_name in letter["Subject"]
        for kind in ("plain", "html"):
            body = letter.get_body((kind,))
            assert body is not None
            assert first_name in body.get_content()
        assert letter["List-Unsubscribe"].startswith("<http://127.0.0.1:")
        assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert letter["From"].addresses[0].domain == f"{file.parent.name}.example.com"
    assert len(readers) == 500


def test_somebody_can_watch_it_and_end_it_with_ctrl_c(once: Once) -> None:
    with Running(once.folder, "demo") as demo:
        told = wait_until(lambda: re.search(r"watch it +(http://\S+)", "".join(demo.said)))
        assert told.group(1) == demo.url
        wait_until(lambda: demo.answers("/"))
        assert demo.end(signal.SIGINT) == 0, "".join(demo.said)
        assert processes_of(once.folder) == {}


def test_a_killed_one_takes_everything_with_it(once: Once) -> None:
    with Running(once.folder, "demo") as demo:
        wait_until(lambda: demo.answers("/"))
        assert len(processes_of(once.folder)) > 3
        demo.process.kill()
        wait_until(lambda: not processes_of(once.folder))
