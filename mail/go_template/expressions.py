"""One Go template pipeline, as listmonk's authors write them, as a Jinja expression.

What may be missing (attributes) is nothing rather than an error, as with Go; what is printed goes through
`as_go`, which writes true and false in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mail.go_template.functions import (
    NOT_OFFERED,
    ROOT,
    Expression,
    Unreadable,
    applied,
    quoted,
)
from mail.go_template.functions import (
    field as field_of,
)


class GoTemplateError(Exception):
    """`line` is that of the source. The reason quotes the template and nobody's data."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


@dataclass(frozen=True)
class Scope:
    """`dot` is what `.` stands for: None at the top, else the name of a Jinja variable. `variables` are the
    `$names` that have been given a value."""

    dot: str | None = None
    variables: frozenset[str] = field(default_factory=frozenset)


class Pipeline(NamedTuple):
    """`variables` are those that are given its value, without the dollar sign; `is_new` with `:=`."""

    variables: tuple[str, ...]
    is_new: bool
    value: Expression


_WORD = r"[^\W\d]\w*"
_TOKEN = re.compile(
    rf"""\s*(?:
        (?P<fields>(?:\.{_WORD})+)
      | (?P<dot>\.)(?!\d)
      | (?P<variable>\$(?:{_WORD})?(?:\.{_WORD})*)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
      | (?P<number>[+-]?[0-9]+(?:\.[0-9]+)?)
      | (?P<word>{_WORD})
      | (?P<symbol>:=|[()|=,])
    )""",
    re.VERBOSE,
)

_CONSTANTS = {
    "true": Expression("true"),
    "false": Expression("false"),
    "nil": Expression('""'),
}

SUBSCRIBER = {
    "Name": "subscriber.name",
    "FirstName": "subscriber.first_name",
    "LastName": "subscriber.last_name",
    "Email": "subscriber.email",
    "UUID": "subscriber.uuid",
    # Nobody else is mailed.
    "Status": '"enabled"',
}
CAMPAIGN = {
    "Name": "campaign.name",
    "Subject": "campaign.subject",
    "UUID": "campaign.uuid",
    "FromEmail": "campaign.from_email",
}
ATTRIBUTES = {"Subscriber": "subscriber.attributes", "Campaign": "campaign.attributes"}


def pipeline(text: str, scope: Scope) -> Pipeline:
    """Raises Unreadable."""
    return _ExpressionReader(text, scope).whole()


class _GoToken(NamedTuple):
    kind: str
    text: str
    follows_at_once: bool


class _ExpressionReader:
    def __init__(self, text: str, scope: Scope) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self._scope = scope

    def whole(self) -> Pipeline:
        variables = self._assigned()
        is_new = bool(variables) and self._tokens[self._next - 1].text == ":="
        value = self._pipeline()
        if self._peek() is not None:
            raise Unreadable(f"{self._tokens[self._next].text!r} was not expected")
        return Pipeline(variables, is_new, value)

    def _assigned(self) -> tuple[str, ...]:
        texts = [token.text for token in self._tokens[:4]]
        for count, sign in ((1, 1), (2, 3)):
            if len(texts) > sign and texts[sign] in (":=", "=") and (count == 1 or texts[1] == ","):
                names = texts[0 : 2 * count - 1 : 2]
                if not all(re.fullmatch(rf"\${_WORD}", name) for name in names):
                    raise Unreadable("only a variable such as $name can be given a value")
                self._next = sign + 1
                return tuple(name[1:] for name in names)
        return ()

    def _pipeline(self) -> Expression:
        value = self._command(None)
        while self._takes("|"):
            value = self._command(value)
        return value

    def _command(self, piped: Expression | None) -> Expression:
        token = self._peek()
        if token is not None and token.kind == "word" and token.text not in _CONSTANTS:
            self._next += 1
            if token.text in NOT_OFFERED:
                raise Unreadable(NOT_OFFERED[token.text])
            arguments = self._operands()
            return applied(token.text, [*arguments, *([piped] if piped else [])])
        operands = self._operands()
        if len(operands) != 1 or piped is not None:
            raise Unreadable("a function was expected" if operands else "a function or a value was expected")
        return operands[0]

    def _operands(self) -> list[Expression]:
        operands = []
        while (token := self._peek()) is not None and token.text not in (")", "|"):
            self._next += 1
            operands.append(self._operand(token))
        return operands

    def _operand(self, token: _GoToken) -> Expression:
        if token.kind in ("fields", "dot"):
            return self._field(self._scope.dot, token.text)
        if token.kind == "variable":
            return self._variable(token.text)
        if token.kind == "text":
            return Expression(quoted(_unquoted(token.text)), sure=True)
        if token.kind == "number":
            return Expression(token.text if token.text[0] not in "+-" else f"({token.text})", sure=True)
        if token.text == "(":
            return self._parenthesised()
        if token.text in _CONSTANTS:
            return _CONSTANTS[token.text]
        if token.kind == "word":
            return applied(token.text, [])
        raise Unreadable(f"{token.text!r} was not expected")

    def _parenthesised(self) -> Expression:
        value = self._pipeline()
        if not self._takes(")"):
            raise Unreadable("a closing parenthesis is missing")
        after = self._peek()
        if after is not None and after.kind == "fields" and after.follows_at_once:
            self._next += 1
            return below(f"({value.jinja})", after.text[1:].split("."))
        return value

    def _variable(self, text: str) -> Expression:
        name, _, path = text[1:].partition(".")
        if not name:
            return self._field(None, "." + path if path else ".")
        if name not in self._scope.variables:
            raise Unreadable(f"${name} has been given no value")
        variable = variable_name(name)
        return below(variable, path.split(".") if path else [])

    def _field(self, dot: str | None, text: str) -> Expression:
        path = text[1:].split(".") if text != "." else []
        if dot is not None:
            return below(dot, path)
        if not path:
            return Expression(ROOT)
        return at_top(path)

    def _peek(self) -> _GoToken | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _takes(self, text: str) -> bool:
        token = self._peek()
        if token is None or token.text != text:
            return False
        self._next += 1
        return True


def below(value: str, names: Sequence[str]) -> Expression:
    return field_of(value, *map(quoted, names))


def at_top(path: Sequence[str]) -> Expression:
    """`.Subscriber.Name` and its like."""
    thing, *rest = path
    if thing == "Tx" and rest[:1] == ["Data"]:
        return below("tx.data", rest[1:])
    if thing == "Tx":
        raise Unreadable(".Tx has Data alone, in transactional messages")
    if thing not in ATTRIBUTES:
        raise Unreadable(f".{thing} is not offered; there are .Subscriber and .Campaign")
    known = SUBSCRIBER if thing == "Subscriber" else CAMPAIGN
    if not rest:
        raise Unreadable(f"name a field of .{thing}, as in .{thing}.Name")
    if rest[0] == "Attribs":
        return below(ATTRIBUTES[thing], rest[1:])
    if len(rest) > 1 or rest[0] not in known:
        offered = ", ".join([*known, "Attribs"])
        raise Unreadable(f".{'.'.join(path)} is not offered; .{thing} has {offered}")
    return Expression(known[rest[0]], sure=True)


def variable_name(name: str) -> str:
    return f"go_{name}"


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}


def _unquoted(literal: str) -> str:
    if literal[0] == "`":
        return literal[1:-1]

    def character(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16))
        if found[2] not in _ESCAPES:
            raise Unreadable(f"the escape \\{found[2]} is not offered")
        return _ESCAPES[found[2]]

    return re.sub(r"\\(?:u([0-9a-fA-F]{4})|(.))", character, literal[1:-1])


def _tokens(text: str) -> list[_GoToken]:
    tokens, at, text = [], 0, text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Unreadable(f"{text[at:].strip()[:20]!r} cannot be read")
        kind = str(found.lastgroup)
        tokens.append(_GoToken(kind, found[kind], found.start(kind) == at))
        at = found.end()
    return tokens
