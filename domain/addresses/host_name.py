"""The name of a host or a mail domain as DNS has it: ASCII labels, those of other scripts as A-labels."""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import normalize

LONGEST = 253
_LONGEST_LABEL = 63

_label_ends = re.compile("[.\u3002\uff0e\uff61]")
_label = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?").fullmatch
_label_with_underscores = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?").fullmatch


class AddressError(ValueError):
    """What cannot be an address or a part of one. The message says why and quotes nothing of it."""


@lru_cache(maxsize=10_000)
def host_in_ascii(name: str, *, underscores: bool = False) -> str:
    """ASCII labels as they are, others as A-labels (RFC 5891, section 4.4). `underscores` lets labels have
    them: DNS does; a mail domain may not (RFC 5321, section 2.3.5). Raises AddressError.

    The library's `idna` codec follows RFC 3490, which sends mail for `faß.de` to `fass.de`, so that only its
    Punycode (RFC 3492) is used."""
    is_label = _label_with_underscores if underscores else _label
    if len(name) > LONGEST:
        raise AddressError("the domain is too long")
    labels = [_a_label(label) for label in _label_ends.split(name)]
    if not all(is_label(label) for label in labels):
        raise AddressError("the domain is not a domain name")
    ascii_name = ".".join(labels)
    if len(ascii_name) > LONGEST or any(len(label) > _LONGEST_LABEL for label in labels):
        raise AddressError("the domain is too long")
    return ascii_name


def is_host(name: str) -> bool:
    """Whether this could be the name of a host, with a dot at its end or without."""
    try:
        host_in_ascii(name.removesuffix("."), underscores=True)
    except AddressError:
        return False
    return True


def _a_label(label: str) -> str:
    if label.isascii() or not label.isprintable():
        return label
    label = normalize("NFKC", label).lower()
    if label.isascii():
        return label
    if len(label) > _LONGEST_LABEL:
        raise AddressError("the domain is too long")
    return "xn--" + label.encode("punycode").decode("ascii")
