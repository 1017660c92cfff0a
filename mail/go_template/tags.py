"""Which tags are Go's: those that begin with a dot, a dollar sign, a Go comment, one of Go's keywords, one of
listmonk's capitalised functions, or a name that is followed by an operand. All else is Jinja."""

from __future__ import annotations

import re

from mail.go_template.functions import NAMES

LONGEST_TAG = 4_000

# What has been read is not read again in another way, and no tag begins within another: a text that is all
# openings takes as long as any other of its length.
_TAG = re.compile(
    r"""\{\{ (?P<left>-(?=\s))? (?>\s*)
        (?P<inside> /\*(?>.*?\*/)(?>\s*)
          | (?> (?: "(?>(?:[^"\\\n]|\\.)*)" | `[^`]*` | (?!\}\}|-\}\}|\{\{) [^"`] )* ) )
        (?P<right>(?<=\s)-)? \}\}""",
    re.VERBOSE | re.DOTALL,
)
_KEYWORDS = frozenset({"if", "else", "end", "with"})
_NAMING_KEYWORDS = frozenset({"template", "block", "define"})
_JINJA_NAMES = frozenset({"subscriber", "campaign", "unsubscribe_url", "today", "content", "loop"})
WORD = re.compile(r"[^\W\d]\w*")
# In Jinja only an operator, a bracket or the end can follow a name.
_OPERAND = re.compile(r"""\s+(?:[.$"`]|-?[0-9])""")


def go_tag(source: str, start: int) -> re.Match[str] | None:
    """The tag in double braces that begins at `start`: its `left`, `inside` and `right`. None when it is
    not Go's, not closed or longer than LONGEST_TAG."""
    tag = _TAG.match(source, start, start + LONGEST_TAG)
    return tag if tag is not None and _is_go(tag["inside"]) else None


def _is_go(inside: str) -> bool:
    """Whether a tag's content, without the blanks and trim marks around it, is Go's."""
    at, end = 0, len(inside)
    while True:
        at = end - len(inside[at:].lstrip("( \t\r\n"))
        if inside.startswith((".", "$", "/*"), at):
            return True
        found = WORD.match(inside, at)
        if found is None:
            return False
        at = found.end()
        says = _says_go(found.group(), inside[at:])
        if says is not None:
            return says


def _says_go(word: str, rest: str) -> bool | None:
    """Of a word that a tag, or the operand of a function, begins with; None when the operand decides."""
    argument = rest.lstrip()
    if word in _KEYWORDS or (word in NAMES and word[0].isupper()):
        return True
    if word in _NAMING_KEYWORDS:
        return argument.startswith('"')
    if word in ("break", "continue"):
        return not argument
    if word not in ("range", "not") and word not in _JINJA_NAMES and _OPERAND.match(rest):
        return True
    # `range (3)` is a call in Jinja, `not x` is said in both.
    return None if (word in NAMES or word == "range") and rest[:1].isspace() else False
