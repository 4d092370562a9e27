"""What a venue repeats of our secrets shows up nowhere: not on screens, in reports, tracebacks or tapes."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket

from benchmarks.faults_check import check_secrets
from strategykit.sim.alor_config import AlorVenueConfig
from strategykit.sim.server_alor import open_simulated_alor

CANARY = "canary-5e7a91c4-refresh-token-0b6d33f8"


@attrs.frozen
class Places:
    """A venue, and something that isn't one: it repeats what it was told, and refuses it."""

    venue: str
    parrot: str
    clerk: str
    """A token service that passes requests on to the venue."""
    parrot_http: str
    tokens: list[str]
    """What the clerk gave out."""

    def echo(self, frame: str) -> None:
        body = {"fault": "garbage", "lane": "all", "frame": frame}
        httpx.post(f"{self.venue}/sim/faults", json=body, timeout=5).raise_for_status()

    def commands(self) -> Counter[str]:
        """Say how many orders came of each run; a cancel names the order only by its number."""
        told = httpx.get(f"{self.venue}/sim/orders", timeout=5).json()["commands"]
        return Counter(row["client_order_id"][:8] for row in told if row["client_order_id"])


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not until():
        assert time.monotonic() < deadline, "not within 60 s"
        time.sleep(0.05)


class Quiet(BaseHTTPRequestHandler):
    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def asked(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Parrot(Quiet):
    """A token service that refuses with the words that it got."""

    def do_POST(self) -> None:
        self.answer(403, self.asked())


class Clerk(Quiet):
    """A token service that asks the venue's own, once: all get the same token, because all hear what is repeated."""

    server: ClerkServer

    def do_POST(self) -> None:
        tokens, body = self.server.tokens, self.asked()
        if not tokens:
            got = httpx.post(f"{self.server.venue}/refresh", content=body, timeout=5)
            tokens.append(got.json()["AccessToken"])
        self.answer(200, json.dumps({"AccessToken": tokens[0]}).encode())


class ClerkServer(HTTPServer):
    venue = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Clerk)
        self.tokens: list[str] = []


@contextmanager
def serving(server: HTTPServer) -> Generator[str]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


async def refuse_login(request: WebSocketRequest) -> None:
    ws = await request.accept()
    try:
        while True:
            asked = json.loads(await ws.get_message())
            answer = {"requestGuid": asked["guid"], "httpCode": 401, "message": f"no such token: {asked['token']}"}
            await ws.send_message(json.dumps(answer))
    except ConnectionClosed:
        pass


@pytest.fixture(scope="module")
def places() -> Generator[Places]:
    found: list[Any] = []
    up = threading.Event()

    async def serve() -> None:
        with trio.CancelScope() as scope:
            async with (
                open_simulated_alor(AlorVenueConfig(refresh_token=CANARY, token_life=1800)) as venue,
                trio.open_nursery() as nursery,
            ):
                server = await nursery.start(serve_websocket, refuse_login, "127.0.0.1", 0, None)
                found.extend([venue.url, f"http://127.0.0.1:{server.port}", scope, trio.lowlevel.current_trio_token()])
                up.set()
                await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    assert up.wait(10)
    url, parrot, scope, token = found
    try:
        clerk = ClerkServer()
        clerk.venue = url
        with serving(clerk) as clerk_url, serving(HTTPServer(("127.0.0.1", 0), Parrot)) as parrot_url:
            yield Places(url, parrot, clerk_url, parrot_url, clerk.tokens)
    finally:
        token.run_sync_soon(scope.cancel)
        thread.join(10)


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CANARY_KEY", CANARY)
    return "env:CANARY_KEY"


def check(out: str, err: str, tape: Path) -> None:
    """No piece of a secret is anywhere."""
    assert not list(check_secrets(tape, [("stdout", out.encode()), ("stderr", err.encode())]))
    for piece in ("canary-5e7a", "0b6d33f8", "eyJ"):
        assert piece not in out + err
        for path in tape.rglob("*"):
            assert path.is_dir() or piece.encode() not in path.read_bytes()


def test_a_run_shows_no_secret_that_its_venue_repeats(places: Places, start: Any, key: str, tmp_path: Path) -> None:
    run = [
        "run",
        "sample:maker",
        "--url",
        places.venue,
        "--oauth",
        places.clerk,
        "--token",
        key,
        "--instrument",
        "SBER",
    ]
    run += ["--refresh", "0.2", "--debug"]
    programs = [
        start(*run, "--tape", "json", "--json"),
        start(*run, "--tape", "table", "--orders"),
        start(*run, "--no-tape", "--json"),
    ]
    wait(lambda: len(places.commands()) == len(programs))
    for secret in [CANARY, *places.tokens]:
        places.echo(f"what is this? {secret}")
        places.echo("-" * (200 - len(secret) // 2) + secret)  # Messages quote the first 200 characters.
        places.echo(json.dumps({"requestGuid": "unasked", "httpCode": 400, "message": f"{secret} is wrong"}))
        places.echo(json.dumps({"data": {"comment": secret, "price": "high"}, "guid": "unasked"}))

    before = places.commands()
    # Answers to commands come behind what was repeated on their wire, and the next command behind an answer.
    wait(lambda: all(count >= before[run] + 3 for run, count in places.commands().items()))
    for program in programs:
        program.signal()
    for program in programs:
        program.wait(30)

    for program, tape in zip(programs, ("json", "table", "none"), strict=True):
        assert "***" in program.out, program.out + program.err
        check(program.out, program.err, tmp_path / tape)
    notes = [text for _, _, text in json.loads(programs[0].out)["notes"]]
    assert "400: *** is wrong" in notes
    assert any(text.endswith("what is this? ***'") for text in notes), notes
    assert json.loads(programs[2].out)["tape"] is None


@pytest.mark.parametrize("debug", [False, True])
def test_a_failing_login_shows_no_secret(places: Places, start: Any, key: str, tmp_path: Path, debug: bool) -> None:
    base = ["run", "sample:maker", "--token", key, "--instrument", "SBER", "--for", "9s"]
    more = ["--debug"] if debug else []
    refused = start(*base, "--url", places.parrot, "--oauth", places.venue, "--tape", "a", *more)
    unknown = start(*base, "--url", places.venue, "--oauth", places.parrot_http, "--tape", "b", "--json", *more)
    session = tmp_path / "session.toml"
    session.write_text(
        f'[venue]\nname = "alor"\nurl = "{places.venue}"\noauth = "{places.parrot_http}"\n'
        f'token = "{key}"\n[[record]]\nkind = "trades"\ninstrument = "SBER"\n'
    )
    doctor = start("doctor", str(session), "--json", *more)

    assert (refused.wait(30), unknown.wait(30), doctor.wait(30)) == (1, 1, 1)

    assert "no such token: ***" in refused.err
    assert "HTTP 403: the credential isn't accepted" in unknown.err
    assert "HTTP 403: the credential isn't accepted" in doctor.out
    assert ("Traceback" in refused.err) == ("Traceback" in unknown.err) == debug
    for program, tape in ((refused, "a"), (unknown, "b"), (doctor, "none")):
        check(program.out, program.err, tmp_path / tape)
