"""Whatever production code defines, production code uses: what only tests call is not the path they test."""

from __future__ import annotations

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("domain", "mail", "storage", "projections", "application", "processor", "web", "postledger")
TEMPLATES = ("*.html", "*.js", "*.txt")

KEEPERS = frozenset({"property", "cached_property", "staticmethod", "classmethod", "contextmanager", "cache",
                     "lru_cache", "dataclass", "total_ordering", "override", "abstractmethod"})  # fmt: skip
"""Decorators that leave it to others to use what they decorate; all others hand it to somebody."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class Defined:
    """`owner` is the class of a method, empty for what stands in the module itself."""

    module: str
    owner: str
    name: str
    node: Definition

    def __str__(self) -> str:
        inside = f"{self.owner}." if self.owner else ""
        return f"{self.module}:{self.node.lineno}: {inside}{self.name}"


def test_production_code_uses_all_that_it_defines() -> None:
    modules = dict(production())
    assert len(modules) > 100
    unused: list[Defined] = []
    while found := unused_in(modules):
        unused += found
        for one in found:
            leave_out(one, modules[one.module])
    assert not unused, "only tests use these:\n" + "\n".join(map(str, unused))


def unused_in(modules: dict[str, ast.Module]) -> list[Defined]:
    attributes, named = attributes_used(modules), names_used(modules)
    return [
        one for one in defined(modules) if one.name not in (attributes if one.owner else named[one.module])
    ]


def leave_out(one: Defined, tree: ast.Module) -> None:
    """What only the unused uses is not used either."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef) and one.node in node.body:
            node.body.remove(one.node)


def production() -> Iterator[tuple[str, ast.Module]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield name, ast.parse(path.read_text())


def defined(modules: dict[str, ast.Module]) -> Iterator[Defined]:
    for module, tree in modules.items():
        for node in tree.body:
            yield from (Defined(module, "", name, node) for name in names_of(node))
            if isinstance(node, ast.ClassDef):
                yield from methods_of(module, node)


def names_of(node: ast.stmt) -> Iterable[str]:
    """Of functions, classes and constants; not of what is handed on by its decorator."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and not is_handed_on(node):
        return [node.name]
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [one.id for one in targets if isinstance(one, ast.Name) and not one.id.startswith("__")]
    return []


def methods_of(module: str, owner: ast.ClassDef) -> Iterator[Defined]:
    for node in owner.body:
        is_method = isinstance(node, ast.FunctionDef) and not node.name.startswith("__")
        if is_method and not is_handed_on(node) and not is_of_a_library(module, owner.name, node.name):
            yield Defined(module, owner.name, node.name, node)


def is_handed_on(node: ast.FunctionDef | ast.ClassDef) -> bool:
    return any(not KEEPERS & set(words(ast.unparse(decorator))) for decorator in node.decorator_list)


def is_of_a_library(module: str, owner: str, method: str) -> bool:
    """Whether a base that is not ours has it: then that base calls it."""
    found = getattr(importlib.import_module(module), owner)
    return any(
        hasattr(base, method) for base in found.__mro__[1:] if base.__module__.split(".")[0] not in ROOMS
    )


def names_used(modules: dict[str, ast.Module]) -> dict[str, set[str]]:
    """By module: which of its names are used, in it or from others. A function that only calls itself is not
    used; of a module that is handed on, such as one of the parts of an application, anything may be."""
    used: dict[str, set[str]] = defaultdict(set)
    attributes = attributes_used(modules)
    for module, tree in modules.items():
        places: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                used[node.module].update(alias.name for alias in node.names)
                places |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                places |= {alias.asname or alias.name: alias.name for alias in node.names}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                used[places.get(node.value.id, "")].add(node.attr)
            elif isinstance(node, ast.Tuple | ast.List):
                handed_on = {places.get(one.id, "") for one in node.elts if isinstance(one, ast.Name)}
                for place in handed_on:
                    used[place] |= attributes
        for node in tree.body:
            used[module] |= names_within(node) - set(names_of(node))
    return used


def names_within(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}


def attributes_used(modules: dict[str, ast.Module]) -> set[str]:
    """Whatever is asked of any object, in code and in templates, or named for `getattr`. What a method asks
    of its own name counts too: it may be another's."""
    used = {
        word
        for pattern in TEMPLATES
        for path in (ROOT / "web").rglob(pattern)
        for word in words(path.read_text())
    }
    for tree in modules.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                used.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                used.add(node.value)
    return used


def words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z_][A-Za-z0-9_]*", text)
