"""The command line as tests use it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from postledger.cli import main

PEOPLE = 'email,name,attributes\nada@example.com,Ada,"{""city"": ""London""}"\nbob@example.com,Bob,\n'


@dataclass
class Cli:
    """Runs `postledger` in a folder of its own, on a database of its own."""

    folder: Path
    environment: dict[str, str]

    def __call__(self, *arguments: object, exit_code: int = 0, stdin: str | None = None) -> Result:
        names = [str(argument) for argument in arguments]
        result = CliRunner().invoke(main, names, input=stdin, env=self.environment)
        assert result.exit_code == exit_code, f"{result.exit_code}: {result.output}\n{result.exc_info}"
        return result

    def json(self, *arguments: object, **options: Any) -> Any:
        return json.loads(self(*arguments, "--json", **options).stdout)

    def error(self, *arguments: object, exit_code: int = 1) -> str:
        return self(*arguments, exit_code=exit_code).stderr

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def add_people(self, text: str = PEOPLE, list_name: str = "Friends") -> None:
        self("recipients", "import", self.file("people.csv", text), "--list", list_name)

    def add_server(self, name: str = "alpha", *more: object) -> None:
        self("server", "add", name, "--host", "127.0.0.1", "--from-email", f"news@{name}.example", *more)

    def add_campaign(
        self, name: str = "Spring", *more: object, body: str = "Dear {{ subscriber.name }}"
    ) -> int:
        text = self.file("letter.txt", body)
        made = self.json(
            "campaign",
            "create",
            "--name",
            name,
            "--list",
            "Friends",
            "--subject-line",
            "Hello",
            "--text",
            text,
            *more,
        )
        return int(made["number"])
