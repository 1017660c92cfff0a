"""Writes what Postledger consists of when it runs, as a CycloneDX 1.6 bill of materials in JSON: itself and
the packages of requirements.txt, with the SHA-256 of every file that bin/setup takes of them. The same input
gives the same output, byte for byte.

    python scripts/sbom.py > postledger.cdx.json
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?: ; (?P<marker>[^\\]+?))? ?\\?$")
HASH = re.compile(r"^    --hash=sha256:(?P<hash>[0-9a-f]{64})(?: \\)?$")


class Pinned(NamedTuple):
    """`marker` says where it is needed, "" is everywhere."""

    name: str
    version: str
    marker: str
    hashes: list[str]

    @property
    def purl(self) -> str:
        """As the package URL specification has it for Python packages: lower case, with hyphens."""
        return f"pkg:pypi/{re.sub('[-_.]+', '-', self.name).lower()}@{self.version}"


def pinned(text: str) -> Iterator[Pinned]:
    """Of a file of requirements with hashes. Raises ValueError for a line that is none of those we write."""
    last: Pinned | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if found := PIN.match(line):
            if last is not None:
                yield last
            last = Pinned(found["name"], found["version"], found["marker"] or "", [])
        elif (found := HASH.match(line)) and last is not None:
            last.hashes.append(found["hash"])
        elif line and not line.startswith("#"):
            raise ValueError(f"line {number} is neither a pinned requirement nor a hash")
    if last is not None:
        yield last


def component(package: Pinned) -> dict[str, Any]:
    """The hashes are of several files, of which an installation has one: so they are not the component's."""
    described: dict[str, Any] = {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "purl": package.purl,
        "properties": [{"name": "postledger:sha256", "value": one} for one in package.hashes],
    }
    if package.marker:
        described["properties"].append({"name": "postledger:needed-where", "value": package.marker})
    return described


def sbom(requirements: str, version: str) -> dict[str, Any]:
    components = [component(package) for package in pinned(requirements)]
    own = f"pkg:pypi/postledger@{version}"
    serial = uuid5(NAMESPACE_URL, own + json.dumps(components))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "postledger",
                "version": version,
                "purl": own,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": [one["bom-ref"] for one in components]}],
    }


def own_version() -> str:
    text = (ROOT / "postledger" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    assert found is not None
    return found[1]


if __name__ == "__main__":
    made = sbom((ROOT / "requirements.txt").read_text(encoding="utf-8"), own_version())
    json.dump(made, sys.stdout, indent=2, ensure_ascii=False)
    print()
