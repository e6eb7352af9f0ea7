"""The annotations `nginx.ingress.kubernetes.io/…` that decide where a request goes or what the user gets.

Read as the controller reads them (internal/ingress/annotations): a Boolean as Go's `ParseBool`, what can't
be read counts as absent, except where the controller closes the location instead (`denied`).
Those that could matter here and aren't modelled are listed, never silently ignored (`not_modelled`).

Not modelled: the ConfigMap's defaults for annotations, other than the controller's own.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from netpath.kubernetes import Ingress
from netpath.packet import Network

T = TypeVar("T")

PREFIX = "nginx.ingress.kubernetes.io/"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


MODELLED = _names(
    """affinity affinity-mode affinity-canary-behavior allowlist-source-range app-root backend-protocol canary
    canary-by-cookie canary-by-header canary-by-header-pattern canary-by-header-value canary-weight
    canary-weight-total custom-http-errors default-backend denylist-source-range force-ssl-redirect
    from-to-www-redirect load-balance permanent-redirect permanent-redirect-code preserve-trailing-slash
    proxy-body-size proxy-connect-timeout proxy-next-upstream proxy-next-upstream-tries proxy-read-timeout
    proxy-send-timeout rewrite-target server-alias service-upstream session-cookie-change-on-failure
    session-cookie-name ssl-redirect temporal-redirect upstream-hash-by upstream-vhost use-regex
    whitelist-source-range x-forwarded-prefix"""
)
HARMLESS = _names(
    """auth-always-set-cookie client-body-buffer-size connection-proxy-header enable-access-log enable-opentelemetry
    enable-opentracing enable-rewrite-log http2-push-preload opentelemetry-operation-name
    opentelemetry-trust-incoming-span proxy-buffer-size proxy-buffering proxy-buffers-number
    proxy-busy-buffers-size proxy-cookie-domain proxy-cookie-path proxy-http-version proxy-max-temp-file-size
    proxy-redirect-from proxy-redirect-to proxy-request-buffering proxy-ssl-ciphers proxy-ssl-protocols
    session-cookie-conditional-samesite-none session-cookie-domain session-cookie-expires session-cookie-hash
    session-cookie-max-age session-cookie-path session-cookie-samesite session-cookie-secure ssl-ciphers
    ssl-prefer-server-ciphers"""
)

_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))
_SIZE = re.compile(r"(\d+)([kKmMgG]?)")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True, slots=True)
class Canary:
    """Who of a location's requests go to the canary's Service instead: by header, then cookie, then weight."""

    weight: int = 0
    total: int = 100
    header: str = ""
    header_value: str = ""
    header_pattern: str = ""
    cookie: str = ""
    sticky: bool = True  # affinity-canary-behavior other than "legacy"


@dataclass(frozen=True, slots=True)
class Affinity:
    """`affinity: cookie`: the name of the cookie, and whether a failure lets the client move on."""

    cookie: str = "INGRESSCOOKIE"
    change_on_failure: bool = False


@dataclass(frozen=True, slots=True)
class Annotations:
    """What an Ingress asks of the controller, for all of its hosts and paths."""

    rewrite_target: str = ""
    use_regex: bool = False
    ssl_redirect: bool = True
    force_ssl_redirect: bool = False
    preserve_trailing_slash: bool = False
    app_root: str = ""
    redirect: tuple[int, str] | None = None
    from_to_www: bool = False
    aliases: tuple[str, ...] = ()
    allow: tuple[Network, ...] | None = None  # None: everybody
    deny: tuple[Network, ...] = ()
    denied: str = ""
    service_upstream: bool = False
    upstream_vhost: str = ""
    default_backend: str = ""
    canary: Canary | None = None
    affinity: Affinity | None = None
    hash_by: str = ""
    load_balance: str = ""
    backend_protocol: str = "HTTP"
    body_size: int = 1 << 20  # bytes; 0: unlimited
    connect_timeout: int = 5  # seconds
    read_timeout: int = 60  # seconds
    next_upstream: tuple[str, ...] = ("error", "timeout")
    tries: int = 3  # 0: no limit
    custom_errors: tuple[int, ...] = ()
    forwarded_prefix: str = ""
    not_modelled: tuple[str, ...] = ()


NONE = Annotations()


def boolean(text: str) -> bool:
    """Go's strconv.ParseBool. Raises `ValueError`."""
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError(text)


def size(text: str) -> int:
    """nginx's size (`8k`, `1m`) in bytes. Raises `ValueError`.

    >>> size("8k")
    8192
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    return int(found[1]) * _UNITS[found[2].lower()]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[,\s]+", text.strip()) if word)


def _networks(text: str) -> tuple[Network, ...]:
    """IPv4 networks of a comma-separated list, host bits cut off as Go's ParseCIDR does; IPv6 is left out."""
    found = (ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())
    return tuple(each for each in found if isinstance(each, Network))


class _Reader:
    """One Ingress's annotations, read by name: absent or unreadable is the default."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self.given = {name[len(PREFIX) :]: value for name, value in given.items() if name.startswith(PREFIX)}
        self.denied = ""

    def text(self, name: str, default: str = "") -> str:
        return self.given.get(name, default)

    def read(self, name: str, parse: Callable[[str], T], default: T) -> T:
        value = self.given.get(name)
        try:
            return default if value is None else parse(value)
        except ValueError:
            return default

    def networks(self, *names: str) -> tuple[Network, ...] | None:
        """A list of source ranges, None where there is none; one that can't be read closes the location."""
        for name in names:
            try:
                if self.given.get(name):
                    return _networks(self.given[name])
            except ValueError:
                self.denied = f"{PREFIX}{name}: the annotation does not contain a valid IP address or network"
        return None


def read_annotations(ingress: Ingress) -> Annotations:
    """What an Ingress's annotations ask for; see the module for what becomes of unreadable ones."""
    if not any(name.startswith(PREFIX) for name in ingress.annotations):
        return NONE
    reader = _Reader(ingress.annotations)
    allow = reader.networks("whitelist-source-range", "allowlist-source-range")
    deny = reader.networks("denylist-source-range") or ()
    return Annotations(
        rewrite_target=reader.text("rewrite-target"),
        use_regex=reader.read("use-regex", boolean, False),
        ssl_redirect=reader.read("ssl-redirect", boolean, True),
        force_ssl_redirect=reader.read("force-ssl-redirect", boolean, False),
        preserve_trailing_slash=reader.read("preserve-trailing-slash", boolean, False),
        app_root=_app_root(reader),
        redirect=_redirect(reader),
        from_to_www=reader.read("from-to-www-redirect", boolean, False),
        aliases=tuple(sorted(set(_words(reader.text("server-alias").replace(",", " "))))),
        allow=allow,
        deny=deny,
        denied=reader.denied,
        service_upstream=reader.read("service-upstream", boolean, False),
        upstream_vhost=reader.text("upstream-vhost"),
        default_backend=reader.text("default-backend"),
        canary=_canary(reader),
        affinity=_affinity(reader),
        hash_by=reader.text("upstream-hash-by"),
        load_balance=reader.text("load-balance"),
        backend_protocol=reader.text("backend-protocol", "HTTP").strip().upper(),
        body_size=reader.read("proxy-body-size", size, NONE.body_size),
        connect_timeout=reader.read("proxy-connect-timeout", int, NONE.connect_timeout),
        read_timeout=reader.read("proxy-read-timeout", int, NONE.read_timeout),
        next_upstream=reader.read("proxy-next-upstream", _words, NONE.next_upstream),
        tries=reader.read("proxy-next-upstream-tries", int, NONE.tries),
        custom_errors=reader.read("custom-http-errors", _codes, ()),
        forwarded_prefix=reader.text("x-forwarded-prefix"),
        not_modelled=tuple(sorted(PREFIX + name for name in reader.given.keys() - MODELLED - HARMLESS)),
    )


def _codes(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in _words(text))


def _app_root(reader: _Reader) -> str:
    root = reader.text("app-root")
    return root if root.startswith("/") else ""  # only absolute paths (rewrite/main.go)


def _redirect(reader: _Reader) -> tuple[int, str] | None:
    """A temporal redirect goes before a permanent one (redirect.go); only URLs that begin with http."""
    temporal, permanent = reader.text("temporal-redirect"), reader.text("permanent-redirect")
    url = temporal or permanent
    if not url.startswith("http"):
        return None
    code = 302 if temporal else reader.read("permanent-redirect-code", int, 301)
    return (code if 300 <= code <= 308 else 301), url


def _canary(reader: _Reader) -> Canary | None:
    if not reader.read("canary", boolean, False):
        return None
    return Canary(
        weight=reader.read("canary-weight", int, 0),
        total=max(100, reader.read("canary-weight-total", int, 100)),  # balancer.lua: only above 100
        header=reader.text("canary-by-header"),
        header_value=reader.text("canary-by-header-value"),
        header_pattern=reader.text("canary-by-header-pattern"),
        cookie=reader.text("canary-by-cookie"),
        sticky=reader.text("affinity-canary-behavior") != "legacy",
    )


def _affinity(reader: _Reader) -> Affinity | None:
    if reader.text("affinity") != "cookie":
        return None
    name = reader.text("session-cookie-name", "INGRESSCOOKIE")
    return Affinity(name, reader.read("session-cookie-change-on-failure", boolean, False))
