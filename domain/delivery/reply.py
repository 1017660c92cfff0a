"""What a refusal by an SMTP server means, and how it may be kept without the address it quotes.

Codes are those of RFC 5321, section 4.2, enhanced codes (class.subject.detail) those of RFC 3463
and of the IANA registry that RFC 5248 opened.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from typing import NamedTuple

from domain.delivery.about import About
from domain.delivery.quotation import replace_quotations


class Stage(StrEnum):
    """The step of the dialogue that was answered; `dot` is the end of the data."""

    CONNECT = "connect"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"


class Verdict(NamedTuple):
    """A verdict about the server suspends the server (`domain.delivery.retry.suspend_until`) and puts the
    e-mail back untouched. Any other defers the e-mail if transient and fails it if permanent."""

    about: About
    transient: bool


UNREACHABLE = Verdict(About.NETWORK, True)
"""No reply at all: refused, timed out or cut off before the final dot."""


def classify(code: int | None, text: str, stage: Stage) -> Verdict:
    """Judges a reply that was not the hoped-for one. `code` is None when there was none; `text` is what
    follows the code, its first line beginning with the enhanced code where there is one."""
    if code is None:
        return UNREACHABLE
    if not 400 <= code <= 599:
        return Verdict(About.SERVER, True)
    if stage in _BEFORE_ANY_MESSAGE:
        return Verdict(About.SERVER, code < 500 or _is_rate(text))
    enhanced = _ENHANCED.match(text)
    detail = enhanced.group(1) if enhanced else ""
    for rule in _RULES:
        if rule.fits(code, detail, text, stage):
            transient = code < 500 if rule.transient is None else rule.transient
            return Verdict(rule.about, transient)
    return Verdict(_OTHERWISE[stage], code < 500)


MOST_PROVOKED = 3
"""An e-mail that servers so often refused for good because of themselves has failed."""


def is_provoked(verdict: Verdict, stage: Stage) -> bool:
    """Whether a server speaks of itself that knows whom the e-mail is for: it may take any other. So one
    such e-mail alone does not suspend it."""
    return verdict.about is About.SERVER and stage in _AFTER_MAIL


def weigh(verdict: Verdict, stage: Stage, before: int) -> Verdict:
    """What a verdict comes to for an e-mail that servers have refused `before` times because of themselves,
    once they knew whom it was for. The first time it is the server's matter alone. From the second time on
    it counts against the e-mail, which nobody seems to want: tried again as after any refusal, and failed
    with the third one that is permanent. Otherwise a single recipient would keep a campaign going, and take
    one server after the other out of use, for ever."""
    if before == 0 or not is_provoked(verdict, stage):
        return verdict
    return Verdict(_OTHERWISE[stage], verdict.transient or before + 1 < MOST_PROVOKED)


_BEFORE_ANY_MESSAGE = frozenset({Stage.CONNECT, Stage.EHLO, Stage.STARTTLS, Stage.AUTH})
_OTHERWISE = {
    # The sender's address is the server's own, so whoever refuses it refuses the server.
    Stage.MAIL: About.SERVER,
    Stage.RCPT: About.RECIPIENT,
    Stage.DATA: About.MESSAGE,
    Stage.DOT: About.MESSAGE,
}
_ENHANCED = re.compile(r"\s*[45]\.(\d{1,3}\.\d{1,3})\b", re.ASCII)
_RATE = (
    r"too (?:many|much) (?:e-?mails?|messages?|mails?|connections?|concurrent|requests?|sessions?"
    r"|logins?|(?:\w+ )?attempts?)"
    r"|too fast|too quickly|throttl|rate[ -]?limit|(?:message|sending|mail|connection) rate|slow down"
    r"|excessive (?:number|volume|connections?|messages?|mails?)|rate (?:was |is |has been )?exceeded"
    r"|(?:sending|daily|hourly|relay|smtp)(?: \w+){0,2} (?:quota|limit)"
    r"|(?:quota|limit)s? (?:for|on|of) (?:sending|outgoing|messages|this (?:hour|day))"
)


class _Rule(NamedTuple):
    """Fits when everything that is given fits; `codes` may be first digits alone. Transient as the
    code says, unless said otherwise."""

    about: About
    codes: str = ""
    enhanced: str = ""
    words: str = ""
    stages: frozenset[Stage] = frozenset()
    transient: bool | None = None

    def fits(self, code: int, detail: str, text: str, stage: Stage) -> bool:
        return (
            (not self.stages or stage in self.stages)
            and (not self.codes or str(code).startswith(tuple(self.codes.split())))
            and (not self.enhanced or re.fullmatch(self.enhanced, detail) is not None)
            and (not self.words or re.search(self.words, text, re.IGNORECASE) is not None)
        )


def _is_rate(text: str) -> bool:
    return re.search(_RATE, text, re.IGNORECASE) is not None


_AFTER_MAIL = frozenset({Stage.RCPT, Stage.DATA, Stage.DOT})
_RECIPIENT, _MESSAGE, _SERVER = About.RECIPIENT, About.MESSAGE, About.SERVER

# The first that fits decides.
_RULES = (
    # RFC 5321, 3.8 and 4.2.1: the service closes the channel.
    _Rule(_SERVER, codes="421", transient=True),
    # RFC 4954, 6: no authentication (530), failed (535), mechanism too weak (534), needs encryption
    # (538), password transition (432), temporary failure (454, in RFC 3207 no TLS); RFC 5248: account
    # disabled (525); RFC 5321: unknown or misplaced command (500, 502, 503).
    _Rule(_SERVER, codes="432 454 500 502 503 525 530 534 535 538"),
    # One mailbox that gets too much, greylisting (RFC 6647): that recipient waits, the server is well.
    _Rule(_RECIPIENT, words=r"receiving mail (?:at|too)|gr[ae]y[ -]?list", transient=True),
    # X.2.3 longer than the mailbox takes; X.2.1 mailbox disabled, X.2.2 full, X.2.4 list expansion.
    _Rule(_MESSAGE, enhanced=r"2\.3"),
    _Rule(_RECIPIENT, enhanced=r"2\.\d+", stages=_AFTER_MAIL),
    # Too much at once is over by itself, whichever class of code says so.
    _Rule(_SERVER, words=_RATE, transient=True),
    _Rule(_SERVER, codes="4", enhanced=r"5\.127"),
    # X.1.7, X.1.8: the sender's address; the rest of X.1: the recipient's.
    _Rule(_SERVER, enhanced=r"1\.[78]"),
    _Rule(_RECIPIENT, enhanced=r"1\.\d+", stages=_AFTER_MAIL),
    # X.3.4 message too big; X.3.1 disk full, X.3.2 not accepting, X.3.3 not capable, X.3.5 misconfigured.
    _Rule(_MESSAGE, enhanced=r"3\.4"),
    _Rule(_SERVER, enhanced=r"3\.[1-9]\d*"),
    _Rule(_SERVER, codes="4", enhanced=r"3\.0"),
    # X.4: the way onward from the server to the recipient's.
    _Rule(_RECIPIENT, enhanced=r"4\.\d+", stages=_AFTER_MAIL),
    # X.5.3 too many recipients, though it was given one; X.5.5 wrong version; X.5.6 exchange too long.
    _Rule(_SERVER, enhanced=r"5\.[356]"),
    # X.6.7, X.6.9 (RFC 6531): the recipient's side takes no internationalised address; else the content.
    _Rule(_RECIPIENT, enhanced=r"6\.[79]"),
    _Rule(_MESSAGE, enhanced=r"6\.\d+"),
    # X.7.17, X.7.18 (RFC 7293): the mailbox or domain has another owner; X.7.2: may not post to the list.
    _Rule(_RECIPIENT, enhanced=r"7\.(?:2|17|18)"),
    # X.7.8 credentials, X.7.9 mechanism, X.7.10, X.7.11 encryption, X.7.13 account disabled, X.7.14
    # trust (RFC 4954, 5248); X.7.20-29 DKIM, SPF, reverse DNS, DMARC, ARC, flood (RFC 7372, 7489, IANA);
    # X.7.5xx, X.7.7xx and X.7.6x: Microsoft's for the same and for a sender who may not send.
    _Rule(_SERVER, enhanced=r"7\.(?:8|9|1[0134]|2\d|[57]\d\d|6\d)"),
    # X.7.1 and plain codes say in words whom they mean.
    _Rule(
        _SERVER,
        codes="550 551 553 554",
        words=r"relay(?:ing)? (?:access )?(?:is )?(?:denied|not permitted|not allowed|prohibited)"
        r"|unable to relay|not (?:permitted|allowed) to relay|does not allow relaying"
        r"|authentication (?:is )?required"
        r"|must (?:be )?authenticat|not authenticated|unauthenticated|\b(?:spf|dkim|dmarc)\b"
        r"|sender (?:address )?(?:rejected|denied|not (?:allowed|owned))|send as this sender",
    ),
    _Rule(_MESSAGE, codes="5", words=r"\burls?\b|\blinks?\b|\bvirus|malware|phish|attachment"),
    _Rule(
        _SERVER,
        codes="550 554",
        words=r"(?:client|host|\bip\b|network)\b.{0,60}\b(?:rejected|blocked|listed|banned|reputation)"
        r"|spamhaus|spamcop|barracuda|black ?-?list|block ?-?list|\b(?:r|s|dns?)bl\b"
        r"|(?:poor|bad|low) reputation|reverse (?:dns|hostname)|\bptr\b",
    ),
    _Rule(_MESSAGE, words=r"\bspam\b|unsolicited|content reject", stages=_AFTER_MAIL),
    # 4.7.x is a policy that changes its mind; 5.7.x is left to the stage.
    _Rule(_SERVER, codes="4", enhanced=r"7\.\d+"),
    # RFC 5321, 4.2.3, without an enhanced code: 552 is a full mailbox or too big a message, 452 the
    # system's storage, 455 and 555 parameters that it does not know or like.
    _Rule(
        _RECIPIENT,
        words=r"(?:user|mailbox|recipient|account)\b.{0,40}\b(?:unknown|not found|full|quota|unavailable)"
        r"|(?:unknown|no such|invalid|non-?existent) (?:user|mailbox|recipient|account)",
        stages=_AFTER_MAIL,
    ),
    _Rule(_MESSAGE, codes="552 523"),
    _Rule(_SERVER, codes="452 455 555"),
)

_LONGEST = 300
_READ = 4000
# Stand for the two replacements until the end, so that a person called `recipient` changes nothing.
_IS_RECIPIENT, _IS_ADDRESS = "\ue000", "\ue001"


def sanitise(reply: str, address: str) -> str:
    """The reply as it may be recorded: one line of at most 300 characters without control characters,
    `<recipient>` for `address` however it is quoted (in angle brackets, quoted, percent-, xtext- or
    quoted-printable-encoded, as in a VERP sender, with its domain in either form of IDNA, broken over
    lines, its local part alone), `<address>` for any other e-mail address."""
    if _is_plain(reply) and address.rpartition("@")[0].casefold() not in reply.casefold():
        return " ".join(reply.split())[:_LONGEST].rstrip()
    text = unicodedata.normalize("NFC", reply[:_READ])
    if len(reply) > _READ:
        text = text.rsplit(maxsplit=1)[0]
    text = replace_quotations(text.translate(_NO_MARKS), unicodedata.normalize("NFC", address), _IS_RECIPIENT)
    if not text.isprintable():
        text = "".join(map(_visible, _LINE_BREAK.sub(" ", text)))
    text = _ANY_ADDRESS.sub(_IS_ADDRESS, text)
    text = text.replace(_IS_RECIPIENT, "<recipient>").replace(_IS_ADDRESS, "<address>")
    return " ".join(text.split())[:_LONGEST].rstrip()


def with_code(code: int | None, reply: str) -> str:
    """A recorded reply as it is shown: as the server gave it, beginning with the code where that is known."""
    return reply if code is None else f"{code} {reply}".rstrip()


_NO_MARKS = dict.fromkeys(map(ord, _IS_RECIPIENT + _IS_ADDRESS))
_SIGNS = re.compile(r"[@%+=\\]")
_LINE_BREAK = re.compile(r"\r?\n(?:[245]\d\d[ -])?|[\r\v\f\x85\u2028\u2029]")
_ANY_ADDRESS = re.compile(
    r"<?(?:\"[^\"]{1,128}\"|[^\s<>\"(),:;@\ue000\ue001]{1,128})(?:@|%40|\+40|=40)"
    r"(?:\[[^\]\s]{1,255}\]|[^\s<>\"(),:;@\[\]\ue000\ue001]{1,255})>?",
    re.IGNORECASE,
)


def _is_plain(reply: str) -> bool:
    """One line without a sign that an address or an encoded one has."""
    return reply.isascii() and reply.isprintable() and _SIGNS.search(reply) is None


def _visible(character: str) -> str:
    """Nothing for control, format and unassigned characters and for halves of surrogate pairs."""
    if character in (_IS_RECIPIENT, _IS_ADDRESS):
        return character
    if character == "\t":
        return " "
    return "" if unicodedata.category(character).startswith("C") else character
