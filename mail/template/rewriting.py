"""A parsed template, checked against what is offered and rewritten to pay for what it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from jinja2 import nodes
from jinja2.exceptions import TemplateAssertionError
from jinja2.visitor import NodeTransformer

from mail.template import filters
from mail.template.bounds import MOST_BITS
from mail.template.sandbox import Sandbox

MOST_NODES = 10_000

_Found = TypeVar("_Found", bound=nodes.Node)
_NOT_OFFERED: dict[type[nodes.Node], str] = {
    nodes.Extends: "extends",
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from … import",
    nodes.Block: "block",
    nodes.Macro: "macro",
    nodes.CallBlock: "call",
    nodes.ScopedEvalContextModifier: "autoescape",
}
_OFFERED: tuple[type[nodes.Node], ...] = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If, nodes.With, nodes.FilterBlock),
    *(nodes.Assign, nodes.AssignBlock, nodes.NSRef, nodes.Name, nodes.Const, nodes.Pair, nodes.Keyword),
    *(nodes.Tuple, nodes.List, nodes.Dict, nodes.CondExpr, nodes.Filter, nodes.Test, nodes.Call),
    *(nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Concat, nodes.Compare, nodes.Operand),
    *(nodes.BinExpr, nodes.UnaryExpr),
)


def rewrite(tree: nodes.Template, environment: Sandbox) -> nodes.Template:
    """Changes the tree. Raises TemplateAssertionError, with the line, for what is not offered."""
    _Rewriting(environment).visit(tree)
    tree.set_environment(environment)
    return tree


class _Rewriting(NodeTransformer):
    def __init__(self, environment: Sandbox) -> None:
        self._environment = environment
        self._seen = 0

    def visit(self, node: nodes.Node, *_: Any, **__: Any) -> nodes.Node:
        self._seen += 1
        if self._seen > MOST_NODES:
            _refuse(node, f"it has more than {MOST_NODES:,} expressions and tags")
        self._check(node)
        self.generic_visit(node)
        rule = _RULES.get(type(node))
        return node if rule is None else rule(node)

    def _check(self, node: nodes.Node) -> None:
        if not isinstance(node, _OFFERED):
            tag = _NOT_OFFERED.get(type(node), type(node).__name__.lower())
            _refuse(node, f"{tag!r} is not offered")
        if isinstance(node, (nodes.Call, nodes.Filter, nodes.Test)) and (node.dyn_args or node.dyn_kwargs):
            # Python would spread them out before anybody is asked to pay.
            _refuse(node, "arguments are written one by one: '*' and '**' before one are not offered")
        if isinstance(node, nodes.For) and node.recursive:
            _refuse(node, "a recursive loop is not offered")
        if isinstance(node, nodes.Filter) and node.name not in self._environment.filters:
            _refuse(node, f"the filter {node.name!r} is not offered")
        if isinstance(node, nodes.Test) and node.name not in self._environment.tests:
            _refuse(node, f"the test {node.name!r} is not offered")


def _loop(node: nodes.For) -> nodes.Node:
    weight = sum(len(data.data) for data in _outside_inner_loops(node, nodes.TemplateData))
    node.iter = _filter(node.iter, filters.COUNTED, nodes.Const(weight, lineno=node.lineno))
    return node


def _concatenation(node: nodes.Concat) -> nodes.Node:
    return _filter(nodes.List(node.nodes, lineno=node.lineno), filters.CONCATENATED)


def _item(node: nodes.Getitem) -> nodes.Node:
    """A written key is looked up like `.key`, which may name it when it is not there."""
    if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return nodes.Getattr(node.node, node.arg.value, node.ctx, lineno=node.lineno)
    return _filter(node, filters.MADE) if isinstance(node.arg, nodes.Slice) else node


def _set_block(node: nodes.AssignBlock) -> nodes.Node:
    node.filter = _filter(node.filter, filters.MADE, lineno=node.lineno)
    return node


def _list(node: nodes.List) -> nodes.Node:
    node.items = [_plain(item) for item in node.items]
    return node


def _tuple(node: nodes.Tuple) -> nodes.Node:
    if node.ctx == "load":
        node.items = [_plain(item) for item in node.items]
    return node


def _pair(node: nodes.Pair) -> nodes.Node:
    node.value = _plain(node.value)
    return node


def _comparison(node: nodes.Compare) -> nodes.Node:
    """A value is compared for as long as the shorter of the two is, and searched for as long as that in which
    it is searched; what stands in the template is no longer than the template."""
    sides = [node.expr, *(operand.expr for operand in node.ops)]
    for place, operand in enumerate(node.ops):
        left, right = sides[place : place + 2]
        if operand.op in ("in", "notin"):
            operand.expr = right if isinstance(right, nodes.Const) else _filter(right, filters.SIZED)
        elif not isinstance(left, nodes.Const) and not isinstance(right, nodes.Const):
            operand.expr = _filter(right, filters.SIZED)
    return node


def _constant(node: nodes.Const) -> nodes.Node:
    if isinstance(node.value, int) and node.value.bit_length() > MOST_BITS:
        _refuse(node, "a number is too large")
    return node


_RULES: dict[type[nodes.Node], Callable[[Any], nodes.Node]] = {
    nodes.For: _loop,
    nodes.Concat: _concatenation,
    nodes.Getitem: _item,
    nodes.AssignBlock: _set_block,
    nodes.List: _list,
    nodes.Tuple: _tuple,
    nodes.Pair: _pair,
    nodes.Compare: _comparison,
    nodes.Const: _constant,
}


def _plain(item: nodes.Expr) -> nodes.Expr:
    written = isinstance(item, (nodes.Const, nodes.TemplateData, nodes.List, nodes.Tuple, nodes.Dict))
    return item if written else _filter(item, filters.PLAIN)


def _filter(node: nodes.Node | None, name: str, *args: nodes.Expr, lineno: int | None = None) -> nodes.Filter:
    line = node.lineno if node is not None else lineno
    return nodes.Filter(node, name, list(args), [], None, None, lineno=line)


def _outside_inner_loops(node: nodes.Node, kind: type[_Found]) -> Iterator[_Found]:
    for child in node.iter_child_nodes():
        if isinstance(child, kind):
            yield child
        if not isinstance(child, nodes.For):
            yield from _outside_inner_loops(child, kind)


def _refuse(node: nodes.Node, reason: str) -> None:
    raise TemplateAssertionError(reason, node.lineno)
