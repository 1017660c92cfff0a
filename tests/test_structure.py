"""How the code is laid out: names that mean one thing, files and functions that can be read at one go, no
folder that has to be searched, and no circle of files that import one another."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("domain", "mail", "storage", "projections", "application", "processor", "web", "postledger")
BESIDE = ("tests", "benchmarks", "proofs", "scripts")

OUTSIDE = frozenset({"asyncio", "http", "os", "pathlib", "sched", "smtplib", "socket", "sqlite3", "ssl",
                     "subprocess", "tempfile", "threading"})  # fmt: skip
"""Parts of the language that lead out of a process."""

MOST_MODULES = 15
LONGEST_FILE = 300
LONGEST_FUNCTION, LONGEST_STORY = 30, 40
"""Lines from its `def` to its end, without decorators and docstring. What tests, measures or proves something
may be longer: its story is told at one go."""


def test_a_class_name_means_one_thing() -> None:
    """A leading underscore makes no other name. What happens to an aggregate is called by both names,
    Campaign.Paused and SmtpServer.Resumed, as the eventsourcing library has it: it is never imported alone,
    and the log knows it by its topic. No other class stands within a class and shares its name."""
    places: dict[str, list[str]] = defaultdict(list)
    for path, tree in production().items():
        for name, node in classes(tree):
            places[name].append(f"{path}:{node.lineno}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_folder_has_to_be_searched() -> None:
    modules: dict[str, int] = defaultdict(int)
    for path in python_files(*ROOMS, *BESIDE):
        modules[str(path.parent)] += not path.name.startswith("__")
    assert {folder: n for folder, n in modules.items() if n > MOST_MODULES} == {}


def test_files_are_short() -> None:
    paths = python_files(*ROOMS, *BESIDE)
    lines = {str(path): len((ROOT / path).read_text().splitlines()) for path in paths}
    assert {path: n for path, n in lines.items() if n > LONGEST_FILE} == {}


@pytest.mark.parametrize(("folders", "longest"), [(ROOMS, LONGEST_FUNCTION), (BESIDE, LONGEST_STORY)])
def test_functions_are_short(folders: tuple[str, ...], longest: int) -> None:
    lengths = {
        f"{path}:{node.lineno} {node.name}": length(node)
        for path, tree in parsed(*folders).items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: n for name, n in lengths.items() if n > longest} == {}


def test_no_files_import_one_another_in_a_circle() -> None:
    """For types alone and within functions, too."""
    files = {module(path): imports(tree) for path, tree in production().items()}
    graph = {name: {one for one in found if one in files and one != name} for name, found in files.items()}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_the_domain_stands_on_the_language_and_one_library_alone() -> None:
    allowed = {*sys.stdlib_module_names, "domain", "eventsourcing"} - OUTSIDE
    asked = {
        f"{path} imports {name}"
        for path, tree in production().items()
        if path.parts[0] == "domain"
        for name in imports(tree)
        if name.split(".")[0] not in allowed
    }
    assert asked == set()


def classes(within: ast.AST, aggregate: str = "") -> Iterator[tuple[str, ast.ClassDef]]:
    """By what they are called: by themselves, or with the aggregate that they stand in."""
    for node in ast.iter_child_nodes(within):
        if not isinstance(node, ast.ClassDef):
            yield from classes(node, aggregate)
            continue
        name = node.name.lstrip("_")
        yield f"{aggregate}.{name}" if aggregate else name, node
        is_aggregate = any(isinstance(base, ast.Name) and base.id == "Aggregate" for base in node.bases)
        yield from classes(node, name if is_aggregate else "")


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - ((docstring.end_lineno or 0) - docstring.lineno + 1)


def production() -> dict[Path, ast.Module]:
    return parsed(*ROOMS)


@cache
def parsed(*folders: str) -> dict[Path, ast.Module]:
    return {path: ast.parse((ROOT / path).read_text()) for path in python_files(*folders)}


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (path.relative_to(ROOT) for path in sorted((ROOT / folder).rglob("*.py")))


def module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imports(tree: ast.Module) -> set[str]:
    """Modules by name; `from a import b` may mean the module a.b or a name in a: both are there."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            submodules = {f"{node.module}.{one.name}" for one in node.names}
            found |= submodules if submodules <= modules() else submodules | {node.module}
    return found


@cache
def modules() -> set[str]:
    return {module(path) for path in production()}
