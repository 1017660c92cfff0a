"""The addresses that test e-mails go to, as somebody wrote them."""

from __future__ import annotations

from domain.addresses import email_address
from domain.errors import Refused

MOST_TESTS = 10


def checked_addresses(text: str) -> list[str]:
    """Separated by commas, semicolons, blanks or line ends; each once. Raises Refused."""
    words = text.replace(",", " ").replace(";", " ").split()
    addresses = list(dict.fromkeys(words))
    if not addresses:
        raise Refused("an address is required.", "addresses")
    if len(addresses) > MOST_TESTS:
        raise Refused(f"at most {MOST_TESTS} addresses, not {len(addresses)}.", "addresses")
    for address in addresses:
        if email_address.wrong_with(address):
            raise Refused(f"{address[:100]!r} is not an e-mail address.", "addresses")
    return addresses
