"""The syntax of e-mail addresses that can be mailed: dot-atom local part, domain of labels (RFC 5321,
sections 4.1.2 and 4.5.3.1; non-ASCII as in RFC 6531). Quoted local parts and address literals are refused."""

from __future__ import annotations

import re

LONGEST = 254  # a path of 256 octets holds two angle brackets (RFC 5321, section 4.5.3.1.3)
LONGEST_LOCAL = 64
LONGEST_DOMAIN = 255

_PLAIN = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_SPECIAL = re.compile(r'[()<>\[\]:;,\\"]')


def wrong_with(email: str) -> str | None:
    """Why `email` cannot be mailed, in words that do not quote it; None when it can."""
    if _PLAIN.fullmatch(email) and len(email) <= LONGEST and email.index("@") <= LONGEST_LOCAL:
        return None
    return _wrong_overall(email) or _wrong_local(email.split("@")[0]) or _wrong_domain(email.split("@")[1])


def needs_smtputf8(email: str) -> bool:
    """True when only a server with SMTPUTF8 (RFC 6531) takes it: the part before @ is not ASCII. A domain
    that is not ASCII can be written as an A-label and needs nothing."""
    return not email.partition("@")[0].isascii()


def _wrong_overall(email: str) -> str | None:
    if not email:
        return "the e-mail address is empty"
    if " " in email or not email.isprintable():
        return "the e-mail address holds a space, a control character or bytes that are not UTF-8"
    if email.count("@") != 1:
        return "the e-mail address must have exactly one @"
    if len(email.encode()) > LONGEST:
        return f"the e-mail address is longer than {LONGEST} bytes"
    return None


def _wrong_local(local: str) -> str | None:
    if not local:
        return "nothing stands before the @"
    if len(local.encode()) > LONGEST_LOCAL:
        return f"the part before the @ is longer than {LONGEST_LOCAL} bytes"
    if _SPECIAL.search(local):
        return "the part before the @ holds a character that addresses may not have"
    if "" in local.split("."):
        return "the part before the @ starts or ends with a dot or has two in a row"
    return None


def _wrong_domain(domain: str) -> str | None:
    try:
        labels = domain.encode("idna").decode().split(".") if domain else []
    except UnicodeError:
        return "the domain is not a domain name"
    if len(labels) < 2 or labels[-1].isdigit():
        return "the domain is not complete"
    if len(".".join(labels)) > LONGEST_DOMAIN or any(len(label) > 63 for label in labels):
        return "the domain is too long"
    if not all(re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?", label) for label in labels):
        return "the domain is not a domain name"
    return None
