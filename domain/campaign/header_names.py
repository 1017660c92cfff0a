"""Which header fields may be added to messages: judged here alone, for campaigns and single messages."""

from __future__ import annotations

import re

LONGEST = 64

# RFC 5322, 3.6.8: printable US-ASCII except the colon.
_well_formed = re.compile(rf"[!-9;-~]{{1,{LONGEST}}}", re.ASCII).fullmatch

# What the message is made with, the sending server's or the delivery's own.
_is_ours = re.compile(
    r"from|sender|to|cc|bcc|subject|date|message-id|return-path|received|mime-version|content-.*"
    r"|resent-.*|dkim-signature|domainkey-signature|arc-.*|authentication-results|delivered-to"
    r"|x-postledger-delivery",
    re.IGNORECASE,
).fullmatch

_UNSUBSCRIBING = frozenset({"list-unsubscribe", "list-unsubscribe-post"})


def wrong_with_header_name(name: str, *, unsubscribing: bool = False) -> str | None:
    """Why such a field cannot be added, as what is said of its name; None when it can. `unsubscribing` lets
    List-Unsubscribe be given."""
    if not _well_formed(name):
        return f"is not a header name: 1 to {LONGEST} printable ASCII characters except the colon"
    if _is_ours(name) or (not unsubscribing and name.lower() in _UNSUBSCRIBING):
        return "is set for each message and cannot be given"
    return None
