"""Where a venue lives, and which addresses are safe to send a token to."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

import attrs

from strategykit.errors import ConfigError

__all__ = ["Endpoints", "Target", "client_tls", "is_loopback_host", "split_url"]

_PLAIN: Final = {"ws": 80, "http": 80}
_SECURE: Final = {"wss": 443, "https": 443}


@attrs.frozen(kw_only=True)
class Target:
    """One address, taken apart."""

    host: str
    port: int
    path: str
    """With its query; ``"/"`` at the least."""
    secure: bool

    @property
    def host_header(self) -> str:
        """What the ``Host`` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port in (80, 443) else f"{host}:{self.port}"


def is_loopback_host(host: str) -> bool:
    """Whether what is at `host` is on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(url: str) -> tuple[SplitResult, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts, parts.hostname, parts.port
    except ValueError as exc:  # A port that is no number, or a bracket that isn't closed.
        shown = "that holds an @" if "@" in url else repr(url)  # It may be a password's.
        raise ConfigError(f"address {shown} can't be read: {exc}") from None


def split_url(url: str) -> Target:
    """Take an address apart.

    Raises:
        ConfigError: It isn't ``wss``, ``https`` or, on the loopback only, ``ws`` or ``http``; or it carries a user
            name or password, which would end up in logs.
    """
    parts, host, port = _split(url)
    if parts.username is not None or parts.password is not None:
        raise ConfigError("an address must not carry a user name or password; give secrets by reference")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigError(f"address {url!r} has characters that an address can't have")
    if not host or parts.scheme not in _PLAIN | _SECURE:
        raise ConfigError(f"address {url!r} should look like wss://api.example.org or https://api.example.org")
    if parts.scheme in _PLAIN and not is_loopback_host(host):
        raise ConfigError(
            f"address {url!r} isn't encrypted; only the loopback may be reached without TLS: use {parts.scheme}s://"
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    secure = parts.scheme in _SECURE
    return Target(host=host, port=port or (443 if secure else 80), path=path, secure=secure)


def _base(url: str) -> str:
    split_url(url)
    return url.rstrip("/")


@attrs.frozen(kw_only=True)
class Endpoints:
    """Base addresses of one venue, without a slash at the end. Checked when made."""

    http: str = attrs.field(converter=_base)
    """For calls."""
    ws: str = attrs.field(converter=_base)
    """For WebSockets; the path of a lane is appended."""
    oauth: str = attrs.field(converter=_base)
    """For tokens."""

    @classmethod
    def at(cls, url: str) -> Endpoints:
        """Derive all three from one address, such as ``http://127.0.0.1:8900``.

        Raises:
            ConfigError: `url` isn't an ``http`` or ``https`` address that may be used.
        """
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"address {url!r} should start with http:// or https://")
        return cls(http=url, ws="ws" + url.removeprefix("http"), oauth=url)


def client_tls(ca_file: str | Path | None = None) -> ssl.SSLContext:
    """Make the TLS settings of every outgoing connection: verified, TLS 1.2 or newer, and no switch to weaken them.

    Args:
        ca_file: Certificates to trust instead of the system's, in PEM.

    Raises:
        ConfigError: The file is missing or holds no certificates.
    """
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError as exc:  # An SSLError is one, too.
        raise ConfigError(f"certificate file {ca_file} can't be used: {exc}") from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
