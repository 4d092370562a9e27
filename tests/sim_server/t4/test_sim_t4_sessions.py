"""Who is let in, for how long, and what ends a session."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from strategykit.errors import ConfigError
from strategykit.sim.http_calls import HttpCall
from strategykit.sim.t4_config import T4User, T4VenueConfig
from strategykit.venues.t4.proto import auth_pb2 as auth
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import orderrouting_pb2 as routing
from strategykit.venues.t4.proto.service_pb2 import Heartbeat

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sim_server.t4.conftest import Floor

USER = T4User()
BY_NAME = {
    "api_key": "",
    "firm": USER.firm,
    "username": USER.username,
    "password": USER.password,
    "app_name": USER.app_name,
    "app_license": USER.app_license,
}


@pytest.mark.parametrize("fields", [{}, BY_NAME], ids=["key", "name"])
def test_a_login_is_answered_with_rights_and_a_token_that_opens_rest(floor: Floor, fields: dict[str, str]) -> None:
    [(payload, welcome)] = floor.enter(login=False).login(**fields)

    assert (payload, welcome.result, welcome.username) == ("login_response", enums.LOGIN_RESULT_SUCCESS, "trader")
    assert [row.account_id for row in welcome.accounts] == ["SIM-1", "SIM-2"]
    assert [row.exchange_id for row in welcome.exchanges] == ["CME_Eq"]
    token = welcome.authentication_token.token
    assert floor.get("/markets/exchanges", key=f"Bearer {token}").status == 200
    assert floor.get("/markets/exchanges", key="Bearer x").status == 401


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({"api_key": "wrong"}, enums.LOGIN_RESULT_UNAUTHORIZED),
        ({"api_key": ""}, enums.LOGIN_RESULT_FAILED),
        ({**BY_NAME, "password": "wrong"}, enums.LOGIN_RESULT_FAILED),
        ({**BY_NAME, "password": ""}, enums.LOGIN_RESULT_FAILED),
        ({**BY_NAME, "username": "nobody"}, enums.LOGIN_RESULT_FAILED),
        ({**BY_NAME, "app_name": "other"}, enums.LOGIN_RESULT_APPLICATION_NOT_VALID),
        ({**BY_NAME, "app_license": "other"}, enums.LOGIN_RESULT_APPLICATION_NOT_VALID),
        ({"price_format": 77}, enums.LOGIN_RESULT_FAILED),
    ],
)
def test_a_bad_login_is_told_why_and_closed(floor: Floor, fields: dict[str, Any], result: int) -> None:
    client = floor.enter(login=False)

    [(_, refusal)] = client.login(**fields)

    assert refusal.result == result
    assert refusal.error_message
    assert client.tap.closed is not None
    assert client.login() == [], "what comes after goodbye isn't heard"


@pytest.mark.parametrize("frame", [b"", b"\xff", "text", bytes.fromhex("e21200")], ids=repr)
def test_before_the_login_nothing_else_will_do(floor: Floor, frame: str | bytes) -> None:
    client = floor.enter(login=False)

    [(_, refusal)] = client.say_raw(frame)

    assert refusal.result == enums.LOGIN_RESULT_UNAUTHORIZED
    assert client.tap.closed is not None


def test_heartbeats_are_welcome_at_any_time_and_not_answered(floor: Floor) -> None:
    client = floor.enter(login=False)

    assert client.say(heartbeat=Heartbeat(timestamp=1)) == []
    assert client.tap.closed is None


def test_what_cannot_be_read_is_ignored_after_the_login(floor: Floor) -> None:
    client = floor.enter()

    assert [client.say_raw(frame) for frame in (b"", b"\xff", "text", bytes.fromhex("c23e00"))] == [[]] * 4
    assert floor.venue.statistics["bad_requests"] == 4
    assert client.tap.closed is None


def test_the_same_user_and_application_displaces_the_older_session(floor: Floor) -> None:
    old, other = floor.trader(), floor.trader(**BY_NAME)
    assert [message.result for message in old.heard_of("login_response")] == [enums.LOGIN_RESULT_LOGGED_IN_ELSEWHERE]
    assert old.tap.closed is not None
    assert other.tap.closed is None

    mobile = floor.trader(app_name="mobile")

    assert other.tap.closed is None
    assert mobile.tap.closed is None
    assert floor.venue.statistics["logged_in"] == 2


def test_logging_in_again_on_one_connection_keeps_it(floor: Floor) -> None:
    client = floor.enter()

    [(_, again)] = client.login()

    assert again.result == enums.LOGIN_RESULT_SUCCESS
    assert client.tap.closed is None


def test_the_venue_speaks_when_it_has_had_nothing_to_say_for_a_while(floor: Floor) -> None:
    client = floor.enter()
    client.heard()

    floor.later(19)
    assert client.heard() == []
    floor.later(1)
    [(payload, beat)] = client.heard()
    assert (payload, beat.timestamp) == ("heartbeat", floor.now // 1_000_000)
    floor.later(10)
    client.say(authentication_token_request=auth.AuthenticationTokenRequest(request_id="r"))
    floor.later(11)
    assert client.heard() == [], "the token was a sign of life"


def test_a_client_that_is_silent_for_a_minute_is_hung_up_on(floor: Floor) -> None:
    client, lively = floor.enter(), floor.enter(app_name="other")
    floor.later(30)
    lively.say(heartbeat=Heartbeat(timestamp=1))
    floor.later(30)

    assert client.tap.closed == (1000, "nothing was heard for 60 s")
    assert lively.tap.closed is None


def test_a_slow_reader_is_told_and_closed(make_floor: Callable[..., Floor]) -> None:
    floor = make_floor(max_backlog=10)
    client = floor.enter()
    client.heard()
    client.tap.waiting = 11

    floor.later()

    assert [message.result for message in client.heard_of("login_response")] == [enums.LOGIN_RESULT_API_MESSAGE_BACKLOG]
    assert client.tap.closed is not None


def test_tokens_are_given_on_request_end_in_time_and_can_be_revoked(make_floor: Callable[..., Floor]) -> None:
    floor = make_floor(token_life=100)
    client = floor.enter()

    def ask(name: str) -> str:
        [(payload, token)] = client.say(authentication_token_request=auth.AuthenticationTokenRequest(request_id=name))
        assert (payload, token.request_id) == ("authentication_token", name)
        assert token.expire_time.seconds >= floor.now / 1e9 + 100
        return f"Bearer {token.token}"

    def status(key: str) -> int:
        found: int = floor.get("/markets/exchanges", key=key).status
        return found

    first, second = ask("r1"), ask("r2")
    assert first != second
    assert [status(first), status(second)] == [200, 200]
    floor.now += 102 * 10**9
    assert [status(first), status(ask("r3"))] == [401, 200]
    fourth = ask("r4")
    assert floor.fault("revoke_tokens") >= 1
    assert status(fourth) == 401


def test_requests_for_tokens_can_be_refused_cut_short_and_lost(floor: Floor) -> None:
    client = floor.enter()
    floor.fault("refuse_token")
    floor.fault("short_token", seconds=3)
    floor.fault("lost_token")

    def ask() -> list[Any]:
        heard = client.say(authentication_token_request=auth.AuthenticationTokenRequest(request_id="r"))
        return [token for _, token in heard]

    [refused], [short], lost, [usual] = ask(), ask(), ask(), ask()

    assert (refused.request_id, refused.token, refused.fail_message) == ("r", "", "refused on command")
    assert lost == []
    assert short.expire_time.seconds - floor.now // 10**9 == 3
    assert usual.expire_time.seconds - floor.now // 10**9 == 1800
    floor.now += 4 * 10**9
    keys = [f"Bearer {token.token}" for token in (short, usual)]
    assert [floor.get("/markets/exchanges", key=key).status for key in keys] == [401, 200]


def test_rest_logs_in_by_name(floor: Floor) -> None:
    def post(**body: Any) -> Any:
        given = {"firm": "SIM", "userName": "trader", "password": USER.password, "appName": USER.app_name, **body}
        given.setdefault("appLicense", USER.app_license)
        call = HttpCall(method="POST", path="/login", body=json.dumps(given).encode())
        return floor.venue.answer(call, floor.now)

    answer = post(priceFormat="Real")
    told = json.loads(answer.body)
    chart = {"exchangeId": "CME_Eq", "contractId": "ES", "barInterval": "Minute", "tradeDateStart": "2026-11-01"}
    bars = json.loads(floor.get("/chart/barchart", key=f"Bearer {told['token']}", **chart).body)["bars"]

    assert told["expires"] >= floor.now // 10**9 + 1800
    assert 5000 < float(bars[0]["openPrice"]) < 7000
    assert [post(password="x").status, post(priceFormat="x").status, post(priceFormat=9).status] == [401, 400, 400]
    assert post(priceFormat=2).status == 200
    assert floor.venue.answer(HttpCall(method="POST", path="/login", body=b"{"), floor.now).status == 400
    assert floor.get("/login").status == 405


def test_faults_end_sessions_with_the_result_that_is_asked_for(floor: Floor) -> None:
    trader, viewer = floor.trader(), floor.enter(app_name="other")
    for client in (trader, viewer):
        client.heard()

    assert floor.fault("displace", lane="orders") == 1
    assert floor.fault("backlog", lane="market", arguments={"result": 13}) == 1

    ended = [client.heard_of("login_response")[0].result for client in (trader, viewer)]
    assert ended == [enums.LOGIN_RESULT_LOGGED_IN_ELSEWHERE, enums.LOGIN_RESULT_SERVER_MESSAGE_BACKLOG]
    assert floor.fault("displace") == 0


def test_logins_can_be_refused_on_command(floor: Floor) -> None:
    floor.fault("reject_login", count=2, arguments={"result": enums.LOGIN_RESULT_LOCKED_OUT})
    floor.fault("reject_login")

    results = [floor.enter(login=False).login()[0][1].result for _ in range(4)]

    assert results == [18, 18, enums.LOGIN_RESULT_FAILED, enums.LOGIN_RESULT_SUCCESS]


@pytest.mark.parametrize("result", [0, 15, "many", None])
def test_only_results_that_exist_and_refuse_can_be_commanded(floor: Floor, result: object) -> None:
    with pytest.raises(ConfigError, match="number of a login result"):
        floor.fault("reject_login", arguments={"result": result})


def test_heartbeats_can_be_kept_from_clients(floor: Floor) -> None:
    client = floor.enter()
    client.heard()

    assert floor.fault("silence", seconds=50) == 1
    floor.later(30)
    assert client.heard() == []
    floor.later(20)
    assert [name for name, _ in client.heard()] == ["heartbeat"]


def test_connections_are_counted_and_named_by_their_use(floor: Floor) -> None:
    client = floor.enter()
    venue = floor.venue
    client.subscribe()
    client.watch()
    assert (venue.lane(client.session), len(venue.subscriptions(client.session))) == ("market", 2)
    client.open_account("SIM-1")
    assert (venue.lane(client.session), len(venue.subscriptions(client.session))) == ("orders", 3)

    venue.close_session(client.session, floor.now)

    assert venue.subscriptions(client.session) == []
    assert client.say() == []


def test_websockets_are_at_one_path_only(floor: Floor) -> None:
    refusals = [floor.venue.admit(HttpCall(method="GET", path=path), floor.now) for path in ("/v1", "/v2", "/ws")]

    assert [refusal and refusal.status for refusal in refusals] == [None, 404, 404]


def test_strategies_of_ones_own_are_refused(floor: Floor) -> None:
    [(_, answer)] = floor.enter().say(create_uds=routing.CreateUDS(request_id="u1"))

    assert (answer.request_id, answer.uds_status) == ("u1", enums.UDS_STATUS_FAILED)


def test_no_secret_is_shown() -> None:
    shown = repr(T4VenueConfig())

    assert not [secret for secret in (USER.password, USER.api_key, USER.app_license) if secret in shown]


@pytest.mark.parametrize("name", ["heartbeat_every", "gone_after", "advances_per_second", "smart_interval"])
def test_a_configuration_that_cannot_be_is_refused(name: str) -> None:
    settings: dict[str, Any] = {name: 0}
    with pytest.raises(ConfigError, match=name):
        T4VenueConfig(**settings)
