"""The answer to a good login.

Source: T4 protocol sheet, sections 1.2 and 2.2.
"""

from __future__ import annotations

from collections.abc import Iterable

from strategykit.venues.t4.proto import auth_pb2 as pb
from strategykit.venues.t4.proto import enums_pb2 as enums

__all__ = ["login_response"]


def login_response(
    *,
    session_id: str,
    firm: str,
    username: str,
    user_id: str,
    exchanges: Iterable[str],
    accounts: Iterable[str],
    token: pb.AuthenticationToken,
) -> pb.LoginResponse:
    """Let a user in: who it is, where it may trade and see depth, with which accounts, and a token for REST."""
    permissions = [
        pb.LoginResponse.Exchange(
            exchange_id=name,
            user_id=user_id,
            market_data_type=enums.MARKET_DATA_TYPE_DEPTH,
            has_executing_account=True,
        )
        for name in exchanges
    ]
    rows = [
        pb.LoginResponse.Account(
            account_id=name,
            account_number=name,
            account_name=name,
            display_name=name,
            mode=enums.ACCOUNT_MODE_BY_ACCOUNT,
        )
        for name in accounts
    ]
    return pb.LoginResponse(
        result=enums.LOGIN_RESULT_SUCCESS,
        session_id=session_id,
        user_id=user_id,
        firm_id=firm,
        roles=["Trader"],
        exchanges=permissions,
        accounts=rows,
        authentication_token=token,
        firm=firm,
        username=username,
        server_name="simulated",
    )
