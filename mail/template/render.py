"""A campaign's subject, bodies and header values as templates."""

from __future__ import annotations

from types import TracebackType
from typing import Any, NamedTuple

from jinja2 import Template as JinjaTemplate
from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError, UndefinedError
from jinja2.meta import find_undeclared_variables
from jinja2.nodes import EvalContext

from mail.go_template.translation import GoTemplateError, translated
from mail.template.bounds import Budget, OutOfBounds, Rendering
from mail.template.rewriting import rewrite
from mail.template.sandbox import Sandbox

NAMES = frozenset(["subscriber", "campaign", "unsubscribe_url", "today"])
TRANSACTIONAL_NAMES = frozenset(["subscriber", "campaign", "tx", "today"])
"""Of transactional messages: nobody unsubscribes from an answer that they asked for."""


class RenderLimits(NamedTuple):
    """`source` and `output` in characters, of each part; `made` is all text made on the way to a message,
    kept or not, and `seconds` what all of its parts may take."""

    source: int = 1_000_000
    output: int = 2_000_000
    made: int = 10_000_000
    seconds: float = 1.0

    def budget(self) -> Budget:
        """For one message."""
        return Budget(self.made, self.seconds)


LIMITS = RenderLimits()


class MessageError(Exception):
    """A message cannot be made. Holds no personal data: it may be recorded and shown."""


class SenderError(MessageError):
    """The server's From address cannot be used, whatever the message."""


class TemplateError(MessageError):
    """`part` is subject, text, html or `header NAME`; `line` is that of the source, None when unknown."""

    def __init__(self, part: str, line: int | None, reason: str) -> None:
        super().__init__(f"{part}, line {line}: {reason}" if line else f"{part}: {reason}")
        self.part = part
        self.line = line
        self.reason = reason


class PartTemplate:
    """Compiled once, rendered for each recipient, from any thread. Raises TemplateError.

    `html` escapes what is put in. `is_fixed` when the text is the same for everybody. `source` is in Jinja:
    what is listmonk's in the source that is given has been translated. `names` are those that are offered."""

    def __init__(
        self,
        part: str,
        source: str,
        *,
        html: bool = False,
        limits: RenderLimits = LIMITS,
        names: frozenset[str] = NAMES,
    ) -> None:
        self.part = part
        self._offered = names
        self._limits = limits
        if len(source) > limits.source:
            raise TemplateError(part, None, f"it is longer than {limits.source:,} characters")
        try:
            source = self.source = translated(source)
        except GoTemplateError as error:
            raise TemplateError(part, error.line, error.reason) from None
        except RecursionError:
            raise TemplateError(part, None, "it is nested too deeply") from None
        if len(source) > limits.source:
            raise TemplateError(part, None, f"it grows to more than {limits.source:,} characters of Jinja")
        self.is_fixed = not any(opening in source for opening in ("{{", "{%", "{#"))
        if not self.is_fixed:
            self._sandbox = _SANDBOXES[html]
            self._compiled = self._compile()
            self._evaluation = EvalContext(self._sandbox)

    def render(self, names: dict[str, Any], budget: Budget | None = None) -> str:
        """`names` has what `names_for` gives: NAMES and what the sandbox offers. `budget` is that of the
        whole message, which all its parts take from."""
        if self.is_fixed:
            return self.source
        rendering = Rendering(self._sandbox, self._evaluation, names, budget or self._limits.budget())
        try:
            text = "".join(self._compiled.root_render_func(rendering))
        except Exception as error:  # noqa: BLE001 - whatever a template does wrong is its author's to know
            # Not chained: the cause may quote what was put in.
            raise TemplateError(self.part, self._line_of(error), _fault(error)) from None
        if len(text) > self._limits.output:
            raise TemplateError(self.part, None, f"it grows to more than {self._limits.output:,} characters")
        return text

    def _compile(self) -> JinjaTemplate:
        sandbox = self._sandbox
        try:
            tree = rewrite(sandbox.parse(self.source), sandbox)
            self._refuse_unknown_names(tree)
            code = sandbox.compile(tree)
            return sandbox.template_class.from_code(sandbox, code, {})
        except TemplateSyntaxError as error:
            raise TemplateError(self.part, error.lineno, error.message or "it cannot be read") from None
        except ValueError:
            raise TemplateError(self.part, None, "a number is too large") from None
        except (RecursionError, MemoryError, SyntaxError):
            raise TemplateError(self.part, None, "it is nested too deeply") from None

    def _refuse_unknown_names(self, tree: nodes.Template) -> None:
        for name in find_undeclared_variables(tree) - self._offered - _SANDBOXES[False].globals.keys():
            line = next((node.lineno for node in tree.find_all(nodes.Name) if node.name == name), None)
            raise TemplateError(
                self.part, line, f"{name!r} is not defined; there are {', '.join(sorted(self._offered))}"
            )

    def _line_of(self, error: BaseException) -> int | None:
        """Of the innermost frame of the compiled template that the error passed."""
        line = None
        trace: TracebackType | None = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_globals.get("__jinja_template__") is self._compiled:
                line = self._compiled.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return line


_SANDBOXES = {html: Sandbox(html=html) for html in (False, True)}


def names_for(subscriber: dict[str, Any], campaign: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {**_SANDBOXES[False].globals, "subscriber": subscriber, "campaign": campaign, **others}


def reason_of(error: Exception) -> str:
    """Why a message was not made, whatever was raised: what others say may quote what they choked on."""
    return (
        str(error)
        if isinstance(error, MessageError)
        else f"the message cannot be made ({type(error).__name__})"
    )


def _fault(error: Exception) -> str:
    """Only our own words and Jinja's on undefined names: other messages may quote someone's data."""
    if isinstance(error, (OutOfBounds, UndefinedError)):
        return str(error)
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason
    return f"it fails with {type(error).__name__}"


_REASONS: dict[type[Exception], str] = {
    TypeError: "a value is of a kind that cannot be used like this",
    ValueError: "a value cannot be used like this",
    ZeroDivisionError: "it divides by zero",
    OverflowError: "a number is too large",
    RecursionError: "it is nested too deeply",
    MemoryError: "it takes too much memory",
}
