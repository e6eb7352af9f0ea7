"""What a resolver's operator can set, with unbound's defaults.

The names in the comments are unbound's (unbound.conf(5), and the constants of iterator/iterator.h).
"""

from __future__ import annotations

from dataclasses import dataclass

from netpath.errors import InputError


@dataclass(frozen=True, slots=True)
class ResolverConfig:
    """Limits and policies. TTLs and times in seconds, sizes in octets."""

    name: str = "resolver"
    max_ttl: int = 86_400  # cache-max-ttl
    min_ttl: int = 0  # cache-min-ttl
    max_negative_ttl: int = 3_600  # cache-max-negative-ttl
    failure_ttl: int = 5  # NORR_TTL; RFC 9520 wants at least 1, at most 300
    server_ttl: int = 900  # infra-host-ttl: how long a server is known to be lame or slow
    max_restarts: int = 11  # max-query-restarts: how many CNAMEs are followed
    max_referrals: int = 130  # MAX_REFERRAL_COUNT
    max_sent: int = 32  # max-sent-count: queries for one zone's answer
    max_depth: int = 4  # lookups of name servers' names inside one another
    max_lookups: int = 64  # MAX_TARGET_COUNT: name servers' names looked up for one question
    max_zone_lookups: int = 16  # MAX_DP_TARGET_COUNT: the same for one zone
    max_missing: int = 5  # MAX_TARGET_NX: names of name servers that turn out not to exist
    attempts: int = 5  # outbound-msg-retry: how often one address is asked
    payload: int = 1_232  # edns-buffer-size
    max_udp: int = 1_232  # max-udp-size
    minimal: bool = True  # minimal-responses
    scrub_promiscuous: bool = True  # iter-scrub-promiscuous
    harden_glue: bool = True  # harden-glue
    nxdomain_cut: bool = False  # RFC 8020; unbound's harden-below-nxdomain needs DNSSEC, which isn't modelled
    snoop: bool = False  # access-control: allow_snoop; without it a query without RD is refused
    ipv6: bool = False  # do-ip6

    def __post_init__(self) -> None:
        for field in self.__slots__:
            value = getattr(self, field)
            if isinstance(value, int) and value < 0:
                raise InputError("not a limit", field=field, value=value, expected="0 or more")
