"""Addresses: which are understood, and which may be used."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from strategykit.errors import ConfigError
from strategykit.net.endpoints import Endpoints, Target, client_tls, split_url


@pytest.mark.parametrize(
    ("url", "target", "host_header"),
    [
        ("wss://api.alor.ru/ws", Target(host="api.alor.ru", port=443, path="/ws", secure=True), "api.alor.ru"),
        ("wss://h:8443", Target(host="h", port=8443, path="/", secure=True), "h:8443"),
        ("https://h/a?b=c", Target(host="h", port=443, path="/a?b=c", secure=True), "h"),
        ("ws://127.0.0.1/ws", Target(host="127.0.0.1", port=80, path="/ws", secure=False), "127.0.0.1"),
        ("ws://127.9.9.9:1", Target(host="127.9.9.9", port=1, path="/", secure=False), "127.9.9.9:1"),
        ("ws://[::1]:8900/ws", Target(host="::1", port=8900, path="/ws", secure=False), "[::1]:8900"),
        ("http://localhost:8900", Target(host="localhost", port=8900, path="/", secure=False), "localhost:8900"),
    ],
)
def test_an_address_is_taken_apart(url: str, target: Target, host_header: str) -> None:
    assert split_url(url) == target
    assert target.host_header == host_header


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ws://api.alor.ru/ws", "wss://"),
        ("http://192.168.0.1", "https://"),
        ("http://localhost.evil.example", "isn't encrypted"),
        ("wss://user:hunter2@host/ws", "user name"),
        ("wss://user@host/ws", "user name"),
        ("ftp://host", "should look like"),
        ("api.alor.ru", "should look like"),
        ("wss:///ws", "should look like"),
        ("wss://host:port", "can't be read"),
        ("wss://host:99999", "can't be read"),
        ("wss://[::1", "can't be read"),
        ("wss://höst/", "characters"),
        ("wss://host/a b", "characters"),
        ("wss://host/\x00", "characters"),
        ("", "should look like"),
    ],
)
def test_an_address_that_mustnt_be_used_is_refused(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        split_url(url)
    assert "hunter2" not in str(caught.value)


def test_all_addresses_follow_from_one() -> None:
    assert Endpoints.at("http://127.0.0.1:8900/") == Endpoints(
        http="http://127.0.0.1:8900", ws="ws://127.0.0.1:8900", oauth="http://127.0.0.1:8900"
    )
    assert Endpoints.at("https://venue.example").ws == "wss://venue.example"
    with pytest.raises(ConfigError, match="http://"):
        Endpoints.at("ws://127.0.0.1:8900")


def test_each_address_of_a_venue_is_checked() -> None:
    with pytest.raises(ConfigError):
        Endpoints(http="https://a.example", ws="ws://a.example", oauth="https://a.example")


def test_tls_is_verified_and_new_enough() -> None:
    context = client_tls()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_certificate_file_that_cant_be_used_is_named(tmp_path: Path) -> None:
    for content in (None, "nonsense"):
        path = tmp_path / "ca.pem"
        if content is not None:
            path.write_text(content)
        with pytest.raises(ConfigError, match=r"ca\.pem"):
            client_tls(path)
