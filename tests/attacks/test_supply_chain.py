"""What is installed is what was chosen, file by file, and it can be said what that is."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from scripts.sbom import Pinned, own_version, pinned, sbom

ROOT = Path(__file__).parents[2]
SCHEMAS = Path(__file__).parent / "cyclonedx"
FILES = ("requirements.txt", "requirements-dev.txt")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def packages(name: str) -> dict[str, Pinned]:
    found = list(pinned(text_of(name)))
    named = {re.sub("[-_.]+", "-", one.name).lower(): one for one in found}
    assert len(named) == len(found), "each has one version"
    return named


@pytest.mark.parametrize("name", FILES)
def test_every_file_to_be_installed_is_known_by_its_hash(name: str) -> None:
    for one in packages(name).values():
        assert one.hashes, one.name
        assert len(set(one.hashes)) == len(one.hashes), one.name


def test_what_is_needed_is_pinned_and_tested_in_the_same_version() -> None:
    run, dev = (packages(name) for name in FILES)
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    for wanted, known in (("options", run), ("options.extras_require", dev)):
        for line in config[wanted]["install_requires" if wanted == "options" else "dev"].split("\n"):
            if line.strip():
                assert re.sub("[-_.]+", "-", re.split(r"[ <>=!~;\[]", line)[0]).lower() in known, line
    assert {name: dev[name] for name in run} == run


@pytest.mark.parametrize("name", FILES)
def test_no_place_to_get_them_from_is_named(name: str) -> None:
    assert "://" not in text_of(name)
    assert "--index" not in text_of(name)


def test_set_up_takes_nothing_without_a_known_hash() -> None:
    script = text_of("bin/setup")
    commands = re.findall(r'"\$\{pip\[@\]\}" ([^&\n]+)', script)
    assert [command.strip() for command in commands] == [
        '--require-hashes -r "$wanted"',
        "--no-deps --no-build-isolation -e .",
    ]
    assert script.count("pip install") == 1
    assert "--require-hashes -r requirements.txt" in text_of("deploy/README.md")


def test_a_file_that_was_exchanged_is_refused(tmp_path: Path) -> None:
    """By pip itself, as bin/setup calls it: the package in place of the one that was chosen has its name and
    version."""
    wheel = tmp_path / "wheels" / "segno-1.6.6-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.write_bytes(b"PK\5\6" + bytes(18))
    wanted = tmp_path / "requirements.txt"
    one = packages("requirements.txt")["segno"]
    pins = " \\\n".join([f"segno=={one.version}", *(f"    --hash=sha256:{each}" for each in one.hashes)])
    wanted.write_text(pins + "\n")
    wheel = wheel.rename(wheel.with_name(f"segno-{one.version}-py3-none-any.whl"))
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-index", "--find-links",
         str(wheel.parent), "--target", str(tmp_path / "there"), "--require-hashes", "-r", str(wanted)],
        env={name: value for name, value in os.environ.items() if not name.startswith("PIP_")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr, done.stderr
    assert not (tmp_path / "there").exists()


def schema(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))


def test_the_bill_of_materials_is_cyclonedx_and_names_all_that_runs() -> None:
    said = subprocess.run(
        [sys.executable, "scripts/sbom.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    bill = json.loads(said.stdout)
    base = "http://cyclonedx.org/schema/"
    others = [(f"{base}{name}.SNAPSHOT.schema.json", schema(name)) for name in ("spdx", "jsf-0.82")]
    validator = jsonschema_rs.validator_for(
        schema("bom-1.6"), registry=jsonschema_rs.Registry(others), validate_formats=True
    )
    assert [error.message for error in validator.iter_errors(bill)] == []
    assert not validator.is_valid({**bill, "serialNumber": "none"}), "the schema is in force"
    named = {(one["name"], one["version"]) for one in bill["components"]}
    assert named == {(one.name, one.version) for one in packages("requirements.txt").values()}
    assert bill["metadata"]["component"]["version"] == own_version()


def test_schemas_of_others_stand_beside_their_licence_and_where_they_are_from() -> None:
    notice = (SCHEMAS / "NOTICE").read_text(encoding="utf-8")
    assert [path.name for path in SCHEMAS.glob("*.json") if path.name not in notice] == []
    assert "https://github.com/CycloneDX/specification" in notice
    assert "Apache License" in (SCHEMAS / "LICENSE").read_text(encoding="utf-8")


def test_the_same_requirements_make_the_same_bill() -> None:
    text = text_of("requirements.txt")
    assert json.dumps(sbom(text, "1.0")) == json.dumps(sbom(text, "1.0"))
    assert sbom(text, "1.0")["serialNumber"] != sbom(text, "1.1")["serialNumber"]


@pytest.mark.parametrize("line", ["segno>=1.6", "segno==1.6.6 --hash=md5:0", "-e .", "--index-url x"])
def test_a_line_that_pins_nothing_is_no_requirement(line: str) -> None:
    with pytest.raises(ValueError, match="line 1 is neither"):
        list(pinned(line))
