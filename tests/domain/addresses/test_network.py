"""Which addresses count as one visitor."""

from __future__ import annotations

import pytest

from domain.addresses.network import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        (None, ""),
        ("unix:/run/socket", "unix:/run/socket"),
    ],
)
def test_of_ipv6_a_whole_64_counts_as_one(address: str | None, network: str) -> None:
    assert network_of(address) == network
