"""Session files: what a right one gives, and the one line that each mistake gets."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.config import Session, load_session, make_session
from strategykit.config_values import is_loopback, parse_duration
from strategykit.errors import ConfigError
from strategykit.registry.alor import SIMULATED_ACCOUNT, SIMULATED_TOKEN
from strategykit.venues.streams import Stream, StreamKind

SECOND = 10**9

WHOLE = """
[venue]
name = "ALOR"
url = "https://api.alor.ru/"
exchange = "MOEX"
account = "D98765"
token = "env:TOKEN_FOR_TESTS"
market_connections = 3
format = "simple"
[run]
live = true
for = "1h30m"
seed = 7
tape = "recordings"
on_stop = "keep"
[[strategy]]
file = "cross.py"
[strategy.params]
instrument = "SBER"
fast = 5
stop = 0.02
[[strategy]]
file = "sample:cross"
name = "second"
[[record]]
kind = "book"
instrument = "GAZP"
depth = 10
every = 250
[[record]]
kind = "bars"
instrument = "GAZP"
interval = "1m"
"""


def session(tmp_path: Path, text: str) -> Session:
    path = tmp_path / "session.toml"
    path.write_text(text, encoding="utf-8")
    return load_session(path)


def mistakes(tmp_path: Path, text: str) -> list[str]:
    """Give the lines of the error, without the file's name, which each of them must begin with."""
    with pytest.raises(ConfigError) as caught:
        session(tmp_path, text)
    lines = str(caught.value).splitlines()
    start = f"{tmp_path / 'session.toml'}: "
    assert all(line.startswith(start) for line in lines)
    return [line.removeprefix(start) for line in lines]


def venue(line: str = "", *, url: str = "http://127.0.0.1:8900") -> str:
    return f'[venue]\nname = "alor"\nurl = "{url}"\n{line}\n'


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    read = session(tmp_path, WHOLE)

    assert read.venue.name == "alor"
    assert read.venue.endpoints.http == "https://api.alor.ru"
    assert read.venue.endpoints.ws == "wss://api.alor.ru"
    assert read.venue.endpoints.oauth == "https://oauth.alor.ru"
    assert not read.venue.loopback
    assert (read.venue.account, read.venue.market_connections) == ("D98765", 3)
    assert read.venue.options == {"exchange": "MOEX", "format": "Simple"}
    assert (read.run.live, read.run.duration, read.run.seed, read.run.on_stop) == (True, 5_400 * SECOND, 7, "keep")
    assert read.run.tape == tmp_path / "recordings"
    first, second = read.strategies
    assert (first.name, first.file) == ("cross", str(tmp_path / "cross.py"))
    assert first.params == {"instrument": "SBER", "fast": 5, "stop": 0.02}
    assert (second.name, second.file, second.params) == ("second", "sample:cross", {})
    assert read.record == (
        Stream(kind=StreamKind.BOOK, instrument="GAZP", exchange="MOEX", depth=10, frequency=250_000_000),
        Stream(kind=StreamKind.BARS, instrument="GAZP", exchange="MOEX", interval=60 * SECOND),
    )


def test_a_simulated_venue_needs_no_account_and_no_token(tmp_path: Path) -> None:
    read = session(tmp_path, venue())

    assert read.venue.loopback
    assert read.venue.account == SIMULATED_ACCOUNT
    assert read.venue.secrets()["token"].reveal() == SIMULATED_TOKEN
    assert read.venue.endpoints.oauth == "http://127.0.0.1:8900"
    assert read.run.tape == tmp_path / "tapes"
    assert (read.run.live, read.run.duration, read.run.seed, read.run.on_stop) == (False, None, None, "cancel")


def test_addresses_can_be_given_apart(tmp_path: Path) -> None:
    apart = """
        [venue]
        name = "alor"
        http = "http://localhost:1"
        ws = "ws://[::1]:2"
        oauth = "https://tokens.example.org"
        token = "file:~/.alor"
        account = "D1"
    """
    read = session(tmp_path, apart)

    assert read.venue.endpoints.ws == "ws://[::1]:2"
    assert not read.venue.loopback, "the token would leave this machine"


def test_one_address_can_be_replaced(tmp_path: Path) -> None:
    read = session(tmp_path, venue('oauth = "http://127.0.0.1:8901"\nws = "ws://127.0.0.1:8902"'))

    assert read.venue.endpoints.http == "http://127.0.0.1:8900"
    assert (read.venue.endpoints.ws, read.venue.endpoints.oauth) == ("ws://127.0.0.1:8902", "http://127.0.0.1:8901")


def test_recording_can_be_turned_off(tmp_path: Path) -> None:
    assert session(tmp_path, venue() + "[run]\ntape = false").run.tape is None


def test_the_token_is_fetched_by_its_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_FOR_TESTS", "hush")

    assert session(tmp_path, WHOLE).venue.secrets()["token"].reveal() == "hush"


def test_a_token_that_is_not_there_is_told_when_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN_FOR_TESTS", raising=False)
    read = session(tmp_path, WHOLE)

    with pytest.raises(ConfigError, match="TOKEN_FOR_TESTS is not set"):
        read.venue.secrets()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "venue is missing; a session needs a [venue] table"),
        ("venue = 3", "venue = 3 should be a table, with keys of its own"),
        ("[venue]\nurl = 'http://127.0.0.1'", "venue.name is missing; name the venue's dialect, one of alor"),
        ("[venue]\nname = 'nyse'\nurl = 'http://127.0.0.1'", 'venue.name = "nyse" should be "alor"'),
        ("[venue]\nname = 'alor'", "venue.url is missing; for a simulated venue it is http://127.0.0.1:8900"),
        (
            "[venue]\nname = 'alor'\nhttp = 'http://127.0.0.1'\nws = 'ws://127.0.0.1'",
            "venue.oauth is missing; give http, ws and oauth, or url alone",
        ),
        (venue("tokn = 'x'"), "venue.tokn is no known key; did you mean token?"),
        (venue() + "[run]\nfo = '2m'", "run.fo is no known key; did you mean for?"),
        (
            venue() + "[limits]\nloss = 1",
            "limits is no known key; known are venue, run, risk, models, strategy, record",
        ),
        (venue("market_connections = 'two'"), 'venue.market_connections = "two" should be a whole number'),
        (venue("market_connections = 8"), "venue.market_connections = 8 should be a whole number, from 1 to 7"),
        (venue("market_connections = 2.0"), "venue.market_connections = 2.0 should be a whole number"),
        (venue("format = 'Fat'"), 'venue.format = "Fat" should be "Simple" or "Slim" or "Heavy"'),
        (venue("account = 12345"), 'venue.account = 12345 should be text in quotes, such as "SBER"'),
        (venue("account = 'D 1'"), "venue.account = \"D 1\" should be a symbol without spaces, such as 'SBER'"),
        (venue() + "[run]\nlive = 1", "run.live = 1 should be true or false"),
        (venue() + "[run]\nfor = 2", 'run.for = 2 should be a duration in quotes, such as "2m" or "1h30m"'),
        (venue() + "[run]\nfor = '2 m'", 'run.for = "2 m" should look like 20s, 2m or 1h30m, and be above 0'),
        (venue() + "[run]\nseed = true", "run.seed = true should be a whole number"),
        (venue() + "[run]\nseed = -1", "run.seed = -1 should be a whole number, at least 0"),
        (venue() + "[run]\ntape = true", 'run.tape = true should be a folder, such as "tapes", or false'),
        (venue() + "[run]\non_stop = 'sell'", 'run.on_stop = "sell" should be "cancel" or "keep"'),
        (venue() + "[run]\nguard = 'yes'", 'run.guard = "yes" should be true or false'),
        (venue() + "[run]\nguard_after = '1s'", 'run.guard_after = "1s" should be "2s" or more: a run is heard twice'),
        (venue() + "[strategy]\nfile = 'x.py'", "strategy should be an array of tables"),
        (venue() + "[[strategy]]\nname = 'x'", "strategy #1.file is missing; name the strategy's file"),
        (venue() + "[[strategy]]\nfile = 'sample:'", 'strategy #1.file = "sample:" should be a path, or sample:NAME'),
        (venue() + "[[strategy]]\nfile = 'x.py'\nname = 'a b'", 'strategy #1.name = "a b" should be letters, digits'),
        (venue() + "[[strategy]]\nfile = 'x.py'\nparams = 3", "strategy #1.params = 3 should be a table"),
        (
            venue() + "[[strategy]]\nfile = 'x.py'\n[[strategy]]\nfile = 'other/x.py'",
            'strategy #2.name = "x" is that of strategy #1; each needs its own',
        ),
        (venue() + "[[record]]\nkind = 'orders'\ninstrument = 'A'", 'record #1.kind = "orders" should be "trades" or'),
        (venue() + "[[record]]\nkind = 'trades'", 'record #1.instrument is missing; name a symbol, such as "SBER"'),
        (
            venue() + "[[record]]\nkind = 'bars'\ninstrument = 'A'",
            'record #1.interval is missing; bars need a length, such as "1m"',
        ),
        (
            venue() + "[[record]]\nkind = 'ticker'\ninstrument = 'A'",
            'record #1.kind = "ticker": ALOR has none; it has trades, quotes, book, bars, ',
        ),
    ],
)
def test_a_mistake_gets_one_line_with_key_value_and_what_would_be_right(tmp_path: Path, text: str, line: str) -> None:
    (told,) = mistakes(tmp_path, text)

    assert told.startswith(line)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    told = mistakes(tmp_path, venue("exchange = 1\nfromat = 'Slim'") + "[run]\nlive = 'no'\n[[strategy]]\nfile = 7")

    assert [line.split()[0] for line in told] == ["venue.exchange", "venue.fromat", "run.live", "strategy"]


@pytest.mark.parametrize("token", ['"abcdefgh-secret"', '"env:abcdefgh-secret"', '["abcdefgh-secret"]', '"file:"'])
def test_a_token_in_the_file_is_refused_and_never_repeated(tmp_path: Path, token: str) -> None:
    (told,) = mistakes(tmp_path, venue(f"token = {token}"))

    assert told.startswith("venue.token should name where the token is")
    assert "abcdefgh" not in told


@pytest.mark.parametrize(
    "url", ["https://me:abcdefgh@api.alor.ru", "https://abcdefgh@api.alor.ru", "https://me:abcdefgh@127.0.0.1:none"]
)
def test_a_password_in_an_address_is_refused_and_never_repeated(tmp_path: Path, url: str) -> None:
    (told,) = mistakes(tmp_path, venue(url=url))

    assert told.startswith("venue.url must not carry a user name or password")
    assert "abcdefgh" not in told


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://api.alor.ru", "isn't encrypted"),
        ("ftp://api.alor.ru", "should look like"),
        ("wss://api.alor.ru", "should start with http:// or https://"),
        ("api.alor.ru", "should look like"),
        ("https://", "should look like"),
        ("https://api.alor.ru:port", "can't be read"),
        ("https://[::1", "can't be read"),
        ("https://api alor.ru", "characters"),
    ],
)
def test_an_address_that_is_none_or_unsafe_is_refused(tmp_path: Path, url: str, words: str) -> None:
    (told,) = mistakes(tmp_path, venue(url=url))

    assert told.startswith("venue.url:")
    assert words in told


def test_a_real_venue_needs_an_account_a_token_and_a_token_service(tmp_path: Path) -> None:
    assert [line.split()[0] for line in mistakes(tmp_path, venue(url="https://api.alor.ru"))] == [
        "venue.token",
        "venue.account",
    ]
    assert mistakes(tmp_path, venue(url="https://alor.example.org")) == [
        "venue.oauth is missing; the token service of https://alor.example.org has an address of its own"
    ]


def test_a_file_that_is_not_toml_names_line_and_column(tmp_path: Path) -> None:
    (told,) = mistakes(tmp_path, "[venue\nname = 1")

    assert told.startswith("isn't TOML:")
    assert "line 1" in told


def test_a_long_wrong_value_is_shortened(tmp_path: Path) -> None:
    (told,) = mistakes(tmp_path, venue(f"format = '{'x' * 5_000}'"))

    assert len(told) < 200


def test_a_file_that_cannot_be_read_is_told_apart(tmp_path: Path) -> None:
    noise = tmp_path / "noise.toml"
    noise.write_bytes(b"\xff\xfe\x00")
    for path, words in [
        (tmp_path / "none.toml", "no such file"),
        (tmp_path, "is a directory"),
        (noise, "isn't UTF-8"),
        (noise / "below", "can't be read"),
    ]:
        with pytest.raises(ConfigError, match=words):
            load_session(path)


def test_a_session_can_come_from_a_command_line() -> None:
    with pytest.raises(ConfigError, match=r"^command line: venue\.url is missing"):
        make_session({"venue": {"name": "alor"}}, folder=Path(), source="command line")


@pytest.mark.parametrize(
    ("text", "seconds"), [("2m", 120), ("1h30m", 5_400), ("20s", 20), ("500ms", 0.5), ("1.5s", 1.5), ("1d", 86_400)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds * SECOND


@pytest.mark.parametrize(
    "text", ["", "2", "m", "0s", "-2m", "2m ", "1e3s", "2 m", "1.2.3s", "5x", "٣s", "9" * 400 + "d"]
)
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(ConfigError, match="should look like"):
        parse_duration(text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=12))
def test_whatever_a_duration_says_it_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert parse_duration(text) > 0


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("http://localhost", True),
        ("ws://127.3.2.1:80", True),
        ("https://[::1]", True),
        ("https://10.0.0.1", False),
        ("https://localhost.example.org", False),
    ],
)
def test_the_loopback_is_known(url: str, answer: bool) -> None:
    assert is_loopback(url) is answer


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["venue", "run", "strategy", "record", "other"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["name", "url", "ws", "token", "for", "file", "params", "kind", "tape"]), inner
                )
            ),
            max_leaves=10,
        ),
    )
)
def test_whatever_a_document_holds_it_is_a_session_or_a_configuration_error(document: dict[str, object]) -> None:
    with contextlib.suppress(ConfigError):
        make_session(document, folder=Path("/folder"), source="x")
