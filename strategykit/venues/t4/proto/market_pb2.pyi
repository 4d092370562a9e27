import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from strategykit.venues.t4.proto import enums_pb2 as _enums_pb2
from strategykit.venues.t4.proto import price_pb2 as _price_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MarketDepthSubscribe(_message.Message):
    __slots__ = ("exchange_id", "contract_id", "market_id", "buffer", "depth_levels")
    EXCHANGE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    BUFFER_FIELD_NUMBER: _ClassVar[int]
    DEPTH_LEVELS_FIELD_NUMBER: _ClassVar[int]
    exchange_id: str
    contract_id: str
    market_id: str
    buffer: _enums_pb2.DepthBuffer
    depth_levels: _enums_pb2.DepthLevels
    def __init__(self, exchange_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., market_id: _Optional[str] = ..., buffer: _Optional[_Union[_enums_pb2.DepthBuffer, str]] = ..., depth_levels: _Optional[_Union[_enums_pb2.DepthLevels, str]] = ...) -> None: ...

class MarketDepthSubscribeReject(_message.Message):
    __slots__ = ("market_id", "time", "mode")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    market_id: str
    time: _timestamp_pb2.Timestamp
    mode: _enums_pb2.MarketMode
    def __init__(self, market_id: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., mode: _Optional[_Union[_enums_pb2.MarketMode, str]] = ...) -> None: ...

class MarketByOrderSubscribe(_message.Message):
    __slots__ = ("exchange_id", "contract_id", "market_id", "subscribe")
    EXCHANGE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBE_FIELD_NUMBER: _ClassVar[int]
    exchange_id: str
    contract_id: str
    market_id: str
    subscribe: bool
    def __init__(self, exchange_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., market_id: _Optional[str] = ..., subscribe: bool = ...) -> None: ...

class MarketByOrderSubscribeReject(_message.Message):
    __slots__ = ("market_id", "time", "mode")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    market_id: str
    time: _timestamp_pb2.Timestamp
    mode: _enums_pb2.MarketMode
    def __init__(self, market_id: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., mode: _Optional[_Union[_enums_pb2.MarketMode, str]] = ...) -> None: ...

class MarketDetails(_message.Message):
    __slots__ = ("market_id", "exchange_id", "contract_id", "expiry_date", "contract_type", "decimals", "point_value", "min_price_increment", "order_types", "activation_date", "last_trading_date", "last_client_update_time", "delist_date", "exchange_delist_date", "market_ref", "group", "legs", "details", "strategy_type", "price_code", "real_decimals", "display_decimals", "clearing_decimals", "min_cab_price", "strike_price", "volume_increment", "strategy_ratio", "disabled", "underlying_market_id", "vtt", "maint_intra_margin", "maint_margin", "maint_vol_scan")
    class LegItem(_message.Message):
        __slots__ = ("market_id", "group", "volume", "delta", "price")
        MARKET_ID_FIELD_NUMBER: _ClassVar[int]
        GROUP_FIELD_NUMBER: _ClassVar[int]
        VOLUME_FIELD_NUMBER: _ClassVar[int]
        DELTA_FIELD_NUMBER: _ClassVar[int]
        PRICE_FIELD_NUMBER: _ClassVar[int]
        market_id: str
        group: int
        volume: int
        delta: str
        price: _price_pb2.Price
        def __init__(self, market_id: _Optional[str] = ..., group: _Optional[int] = ..., volume: _Optional[int] = ..., delta: _Optional[str] = ..., price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ...) -> None: ...
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_DATE_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_TYPE_FIELD_NUMBER: _ClassVar[int]
    DECIMALS_FIELD_NUMBER: _ClassVar[int]
    POINT_VALUE_FIELD_NUMBER: _ClassVar[int]
    MIN_PRICE_INCREMENT_FIELD_NUMBER: _ClassVar[int]
    ORDER_TYPES_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_DATE_FIELD_NUMBER: _ClassVar[int]
    LAST_TRADING_DATE_FIELD_NUMBER: _ClassVar[int]
    LAST_CLIENT_UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DELIST_DATE_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_DELIST_DATE_FIELD_NUMBER: _ClassVar[int]
    MARKET_REF_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LEGS_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_TYPE_FIELD_NUMBER: _ClassVar[int]
    PRICE_CODE_FIELD_NUMBER: _ClassVar[int]
    REAL_DECIMALS_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_DECIMALS_FIELD_NUMBER: _ClassVar[int]
    CLEARING_DECIMALS_FIELD_NUMBER: _ClassVar[int]
    MIN_CAB_PRICE_FIELD_NUMBER: _ClassVar[int]
    STRIKE_PRICE_FIELD_NUMBER: _ClassVar[int]
    VOLUME_INCREMENT_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_RATIO_FIELD_NUMBER: _ClassVar[int]
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    UNDERLYING_MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    VTT_FIELD_NUMBER: _ClassVar[int]
    MAINT_INTRA_MARGIN_FIELD_NUMBER: _ClassVar[int]
    MAINT_MARGIN_FIELD_NUMBER: _ClassVar[int]
    MAINT_VOL_SCAN_FIELD_NUMBER: _ClassVar[int]
    market_id: str
    exchange_id: str
    contract_id: str
    expiry_date: int
    contract_type: _enums_pb2.ContractType
    decimals: int
    point_value: _price_pb2.Decimal
    min_price_increment: _price_pb2.Price
    order_types: int
    activation_date: _timestamp_pb2.Timestamp
    last_trading_date: _timestamp_pb2.Timestamp
    last_client_update_time: _timestamp_pb2.Timestamp
    delist_date: int
    exchange_delist_date: int
    market_ref: str
    group: str
    legs: _containers.RepeatedCompositeFieldContainer[MarketDetails.LegItem]
    details: str
    strategy_type: _enums_pb2.StrategyType
    price_code: str
    real_decimals: int
    display_decimals: int
    clearing_decimals: int
    min_cab_price: _price_pb2.Price
    strike_price: _price_pb2.Price
    volume_increment: int
    strategy_ratio: float
    disabled: bool
    underlying_market_id: str
    vtt: str
    maint_intra_margin: float
    maint_margin: float
    maint_vol_scan: float
    def __init__(self, market_id: _Optional[str] = ..., exchange_id: _Optional[str] = ..., contract_id: _Optional[str] = ..., expiry_date: _Optional[int] = ..., contract_type: _Optional[_Union[_enums_pb2.ContractType, str]] = ..., decimals: _Optional[int] = ..., point_value: _Optional[_Union[_price_pb2.Decimal, _Mapping]] = ..., min_price_increment: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., order_types: _Optional[int] = ..., activation_date: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_trading_date: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_client_update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., delist_date: _Optional[int] = ..., exchange_delist_date: _Optional[int] = ..., market_ref: _Optional[str] = ..., group: _Optional[str] = ..., legs: _Optional[_Iterable[_Union[MarketDetails.LegItem, _Mapping]]] = ..., details: _Optional[str] = ..., strategy_type: _Optional[_Union[_enums_pb2.StrategyType, str]] = ..., price_code: _Optional[str] = ..., real_decimals: _Optional[int] = ..., display_decimals: _Optional[int] = ..., clearing_decimals: _Optional[int] = ..., min_cab_price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., strike_price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., volume_increment: _Optional[int] = ..., strategy_ratio: _Optional[float] = ..., disabled: bool = ..., underlying_market_id: _Optional[str] = ..., vtt: _Optional[str] = ..., maint_intra_margin: _Optional[float] = ..., maint_margin: _Optional[float] = ..., maint_vol_scan: _Optional[float] = ...) -> None: ...

class MarketDepth(_message.Message):
    __slots__ = ("market_id", "depth_levels", "depth_buffer", "time", "delayed", "bids", "offers", "implied_bids", "implied_offers", "mode", "flags", "trade_data")
    class DepthLine(_message.Message):
        __slots__ = ("price", "volume", "num_orders")
        PRICE_FIELD_NUMBER: _ClassVar[int]
        VOLUME_FIELD_NUMBER: _ClassVar[int]
        NUM_ORDERS_FIELD_NUMBER: _ClassVar[int]
        price: _price_pb2.Price
        volume: int
        num_orders: int
        def __init__(self, price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., volume: _Optional[int] = ..., num_orders: _Optional[int] = ...) -> None: ...
    class TradeData(_message.Message):
        __slots__ = ("total_traded_volume", "total_trade_count", "last_trade_price", "last_trade_volume", "last_trade_total_volume", "last_trade_spd_price", "last_trade_spd_volume", "last_trade_spd_total_volume", "due_to_spread", "at_bid_or_offer", "time")
        TOTAL_TRADED_VOLUME_FIELD_NUMBER: _ClassVar[int]
        TOTAL_TRADE_COUNT_FIELD_NUMBER: _ClassVar[int]
        LAST_TRADE_PRICE_FIELD_NUMBER: _ClassVar[int]
        LAST_TRADE_VOLUME_FIELD_NUMBER: _ClassVar[int]
        LAST_TRADE_TOTAL_VOLUME_FIELD_NUMBER: _ClassVar[int]
        LAST_TRADE_SPD_PRICE_FIELD_NUMBER: _ClassVar[int]
        LAST_TRADE_SPD_VOLUME_FIELD_NUMBER: _ClassVar[int]
        LAST_TRADE_SPD_TOTAL_VOLUME_FIELD_NUMBER: _ClassVar[int]
        DUE_TO_SPREAD_FIELD_NUMBER: _ClassVar[int]
        AT_BID_OR_OFFER_FIELD_NUMBER: _ClassVar[int]
        TIME_FIELD_NUMBER: _ClassVar[int]
        total_traded_volume: int
        total_trade_count: int
        last_trade_price: _price_pb2.Price
        last_trade_volume: int
        last_trade_total_volume: int
        last_trade_spd_price: _price_pb2.Price
        last_trade_spd_volume: int
        last_trade_spd_total_volume: int
        due_to_spread: bool
        at_bid_or_offer: _enums_pb2.BidOffer
        time: _timestamp_pb2.Timestamp
        def __init__(self, total_traded_volume: _Optional[int] = ..., total_trade_count: _Optional[int] = ..., last_trade_price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., last_trade_volume: _Optional[int] = ..., last_trade_total_volume: _Optional[int] = ..., last_trade_spd_price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., last_trade_spd_volume: _Optional[int] = ..., last_trade_spd_total_volume: _Optional[int] = ..., due_to_spread: bool = ..., at_bid_or_offer: _Optional[_Union[_enums_pb2.BidOffer, str]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    DEPTH_LEVELS_FIELD_NUMBER: _ClassVar[int]
    DEPTH_BUFFER_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    DELAYED_FIELD_NUMBER: _ClassVar[int]
    BIDS_FIELD_NUMBER: _ClassVar[int]
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    IMPLIED_BIDS_FIELD_NUMBER: _ClassVar[int]
    IMPLIED_OFFERS_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    TRADE_DATA_FIELD_NUMBER: _ClassVar[int]
    market_id: str
    depth_levels: _enums_pb2.DepthLevels
    depth_buffer: _enums_pb2.DepthBuffer
    time: _timestamp_pb2.Timestamp
    delayed: bool
    bids: _containers.RepeatedCompositeFieldContainer[MarketDepth.DepthLine]
    offers: _containers.RepeatedCompositeFieldContainer[MarketDepth.DepthLine]
    implied_bids: _containers.RepeatedCompositeFieldContainer[MarketDepth.DepthLine]
    implied_offers: _containers.RepeatedCompositeFieldContainer[MarketDepth.DepthLine]
    mode: _enums_pb2.MarketMode
    flags: _enums_pb2.MarketFlags2
    trade_data: MarketDepth.TradeData
    def __init__(self, market_id: _Optional[str] = ..., depth_levels: _Optional[_Union[_enums_pb2.DepthLevels, str]] = ..., depth_buffer: _Optional[_Union[_enums_pb2.DepthBuffer, str]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., delayed: bool = ..., bids: _Optional[_Iterable[_Union[MarketDepth.DepthLine, _Mapping]]] = ..., offers: _Optional[_Iterable[_Union[MarketDepth.DepthLine, _Mapping]]] = ..., implied_bids: _Optional[_Iterable[_Union[MarketDepth.DepthLine, _Mapping]]] = ..., implied_offers: _Optional[_Iterable[_Union[MarketDepth.DepthLine, _Mapping]]] = ..., mode: _Optional[_Union[_enums_pb2.MarketMode, str]] = ..., flags: _Optional[_Union[_enums_pb2.MarketFlags2, str]] = ..., trade_data: _Optional[_Union[MarketDepth.TradeData, _Mapping]] = ...) -> None: ...

class MarketDepthTrade(_message.Message):
    __slots__ = ("market_id", "time", "total_traded_volume", "last_trade_volume", "due_to_spread", "at_bid_or_offer", "delayed", "order_volumes", "total_trade_count", "last_trade_price", "mode")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    TOTAL_TRADED_VOLUME_FIELD_NUMBER: _ClassVar[int]
    LAST_TRADE_VOLUME_FIELD_NUMBER: _ClassVar[int]
    DUE_TO_SPREAD_FIELD_NUMBER: _ClassVar[int]
    AT_BID_OR_OFFER_FIELD_NUMBER: _ClassVar[int]
    DELAYED_FIELD_NUMBER: _ClassVar[int]
    ORDER_VOLUMES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_TRADE_COUNT_FIELD_NUMBER: _ClassVar[int]
    LAST_TRADE_PRICE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    market_id: str
    time: _timestamp_pb2.Timestamp
    total_traded_volume: int
    last_trade_volume: int
    due_to_spread: bool
    at_bid_or_offer: _enums_pb2.BidOffer
    delayed: bool
    order_volumes: _containers.RepeatedScalarFieldContainer[int]
    total_trade_count: int
    last_trade_price: _price_pb2.Price
    mode: _enums_pb2.MarketMode
    def __init__(self, market_id: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., total_traded_volume: _Optional[int] = ..., last_trade_volume: _Optional[int] = ..., due_to_spread: bool = ..., at_bid_or_offer: _Optional[_Union[_enums_pb2.BidOffer, str]] = ..., delayed: bool = ..., order_volumes: _Optional[_Iterable[int]] = ..., total_trade_count: _Optional[int] = ..., last_trade_price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., mode: _Optional[_Union[_enums_pb2.MarketMode, str]] = ...) -> None: ...

class MarketHighLow(_message.Message):
    __slots__ = ("market_id", "open_price", "high_price", "low_price", "trade_date", "time", "delayed")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    OPEN_PRICE_FIELD_NUMBER: _ClassVar[int]
    HIGH_PRICE_FIELD_NUMBER: _ClassVar[int]
    LOW_PRICE_FIELD_NUMBER: _ClassVar[int]
    TRADE_DATE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    DELAYED_FIELD_NUMBER: _ClassVar[int]
    market_id: str
    open_price: _price_pb2.Price
    high_price: _price_pb2.Price
    low_price: _price_pb2.Price
    trade_date: int
    time: _timestamp_pb2.Timestamp
    delayed: bool
    def __init__(self, market_id: _Optional[str] = ..., open_price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., high_price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., low_price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., trade_date: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., delayed: bool = ...) -> None: ...

class MarketPriceLimits(_message.Message):
    __slots__ = ("market_id", "high_price", "low_price", "time", "delayed")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    HIGH_PRICE_FIELD_NUMBER: _ClassVar[int]
    LOW_PRICE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    DELAYED_FIELD_NUMBER: _ClassVar[int]
    market_id: str
    high_price: _price_pb2.Price
    low_price: _price_pb2.Price
    time: _timestamp_pb2.Timestamp
    delayed: bool
    def __init__(self, market_id: _Optional[str] = ..., high_price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., low_price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., delayed: bool = ...) -> None: ...

class MarketSettlement(_message.Message):
    __slots__ = ("exchange_id", "market_id", "delayed", "settlement_price", "settlement_time", "settlement_trade_date", "settlement_held_price", "settlement_held_time", "settlement_held_trade_date", "implied_price", "implied_held_price", "implied_time", "open_interest", "open_interest_time", "open_interest_trade_date", "cleared_volume", "cleared_volume_time", "cleared_volume_trade_date", "vwap_price", "vwap_time", "vwap_trade_date")
    EXCHANGE_ID_FIELD_NUMBER: _ClassVar[int]
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    DELAYED_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_PRICE_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_TIME_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_TRADE_DATE_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_HELD_PRICE_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_HELD_TIME_FIELD_NUMBER: _ClassVar[int]
    SETTLEMENT_HELD_TRADE_DATE_FIELD_NUMBER: _ClassVar[int]
    IMPLIED_PRICE_FIELD_NUMBER: _ClassVar[int]
    IMPLIED_HELD_PRICE_FIELD_NUMBER: _ClassVar[int]
    IMPLIED_TIME_FIELD_NUMBER: _ClassVar[int]
    OPEN_INTEREST_FIELD_NUMBER: _ClassVar[int]
    OPEN_INTEREST_TIME_FIELD_NUMBER: _ClassVar[int]
    OPEN_INTEREST_TRADE_DATE_FIELD_NUMBER: _ClassVar[int]
    CLEARED_VOLUME_FIELD_NUMBER: _ClassVar[int]
    CLEARED_VOLUME_TIME_FIELD_NUMBER: _ClassVar[int]
    CLEARED_VOLUME_TRADE_DATE_FIELD_NUMBER: _ClassVar[int]
    VWAP_PRICE_FIELD_NUMBER: _ClassVar[int]
    VWAP_TIME_FIELD_NUMBER: _ClassVar[int]
    VWAP_TRADE_DATE_FIELD_NUMBER: _ClassVar[int]
    exchange_id: str
    market_id: str
    delayed: bool
    settlement_price: _price_pb2.Price
    settlement_time: _timestamp_pb2.Timestamp
    settlement_trade_date: _timestamp_pb2.Timestamp
    settlement_held_price: str
    settlement_held_time: _timestamp_pb2.Timestamp
    settlement_held_trade_date: _timestamp_pb2.Timestamp
    implied_price: _price_pb2.Price
    implied_held_price: _price_pb2.Price
    implied_time: _timestamp_pb2.Timestamp
    open_interest: int
    open_interest_time: _timestamp_pb2.Timestamp
    open_interest_trade_date: _timestamp_pb2.Timestamp
    cleared_volume: int
    cleared_volume_time: _timestamp_pb2.Timestamp
    cleared_volume_trade_date: _timestamp_pb2.Timestamp
    vwap_price: _price_pb2.Price
    vwap_time: _timestamp_pb2.Timestamp
    vwap_trade_date: _timestamp_pb2.Timestamp
    def __init__(self, exchange_id: _Optional[str] = ..., market_id: _Optional[str] = ..., delayed: bool = ..., settlement_price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., settlement_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., settlement_trade_date: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., settlement_held_price: _Optional[str] = ..., settlement_held_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., settlement_held_trade_date: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., implied_price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., implied_held_price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., implied_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., open_interest: _Optional[int] = ..., open_interest_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., open_interest_trade_date: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cleared_volume: _Optional[int] = ..., cleared_volume_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., cleared_volume_trade_date: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., vwap_price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., vwap_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., vwap_trade_date: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class MarketSnapshotMessage(_message.Message):
    __slots__ = ("market_depth", "market_depth_trade", "market_high_low", "market_price_limits", "market_settlement")
    MARKET_DEPTH_FIELD_NUMBER: _ClassVar[int]
    MARKET_DEPTH_TRADE_FIELD_NUMBER: _ClassVar[int]
    MARKET_HIGH_LOW_FIELD_NUMBER: _ClassVar[int]
    MARKET_PRICE_LIMITS_FIELD_NUMBER: _ClassVar[int]
    MARKET_SETTLEMENT_FIELD_NUMBER: _ClassVar[int]
    market_depth: MarketDepth
    market_depth_trade: MarketDepthTrade
    market_high_low: MarketHighLow
    market_price_limits: MarketPriceLimits
    market_settlement: MarketSettlement
    def __init__(self, market_depth: _Optional[_Union[MarketDepth, _Mapping]] = ..., market_depth_trade: _Optional[_Union[MarketDepthTrade, _Mapping]] = ..., market_high_low: _Optional[_Union[MarketHighLow, _Mapping]] = ..., market_price_limits: _Optional[_Union[MarketPriceLimits, _Mapping]] = ..., market_settlement: _Optional[_Union[MarketSettlement, _Mapping]] = ...) -> None: ...

class MarketSnapshot(_message.Message):
    __slots__ = ("market_id", "mode", "due_to_connection", "delayed", "messages")
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    DUE_TO_CONNECTION_FIELD_NUMBER: _ClassVar[int]
    DELAYED_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    market_id: str
    mode: _enums_pb2.MarketMode
    due_to_connection: bool
    delayed: bool
    messages: _containers.RepeatedCompositeFieldContainer[MarketSnapshotMessage]
    def __init__(self, market_id: _Optional[str] = ..., mode: _Optional[_Union[_enums_pb2.MarketMode, str]] = ..., due_to_connection: bool = ..., delayed: bool = ..., messages: _Optional[_Iterable[_Union[MarketSnapshotMessage, _Mapping]]] = ...) -> None: ...

class MarketByOrderSnapshot(_message.Message):
    __slots__ = ("market_id", "time", "mode", "last_sequence", "orders")
    class Order(_message.Message):
        __slots__ = ("order_id", "bid_offer", "price", "volume", "priority")
        ORDER_ID_FIELD_NUMBER: _ClassVar[int]
        BID_OFFER_FIELD_NUMBER: _ClassVar[int]
        PRICE_FIELD_NUMBER: _ClassVar[int]
        VOLUME_FIELD_NUMBER: _ClassVar[int]
        PRIORITY_FIELD_NUMBER: _ClassVar[int]
        order_id: int
        bid_offer: _enums_pb2.BidOffer
        price: _price_pb2.Price
        volume: int
        priority: int
        def __init__(self, order_id: _Optional[int] = ..., bid_offer: _Optional[_Union[_enums_pb2.BidOffer, str]] = ..., price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., volume: _Optional[int] = ..., priority: _Optional[int] = ...) -> None: ...
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    market_id: str
    time: _timestamp_pb2.Timestamp
    mode: _enums_pb2.MarketMode
    last_sequence: int
    orders: _containers.RepeatedCompositeFieldContainer[MarketByOrderSnapshot.Order]
    def __init__(self, market_id: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., mode: _Optional[_Union[_enums_pb2.MarketMode, str]] = ..., last_sequence: _Optional[int] = ..., orders: _Optional[_Iterable[_Union[MarketByOrderSnapshot.Order, _Mapping]]] = ...) -> None: ...

class MarketByOrderUpdate(_message.Message):
    __slots__ = ("market_id", "time", "mode", "sequence", "updates")
    class UpdateType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UPDATE_TYPE_ADD_OR_UPDATE: _ClassVar[MarketByOrderUpdate.UpdateType]
        UPDATE_TYPE_DELETE: _ClassVar[MarketByOrderUpdate.UpdateType]
        UPDATE_TYPE_CLEAR: _ClassVar[MarketByOrderUpdate.UpdateType]
    UPDATE_TYPE_ADD_OR_UPDATE: MarketByOrderUpdate.UpdateType
    UPDATE_TYPE_DELETE: MarketByOrderUpdate.UpdateType
    UPDATE_TYPE_CLEAR: MarketByOrderUpdate.UpdateType
    class Update(_message.Message):
        __slots__ = ("update_type", "order_id", "bid_offer", "price", "volume", "priority")
        UPDATE_TYPE_FIELD_NUMBER: _ClassVar[int]
        ORDER_ID_FIELD_NUMBER: _ClassVar[int]
        BID_OFFER_FIELD_NUMBER: _ClassVar[int]
        PRICE_FIELD_NUMBER: _ClassVar[int]
        VOLUME_FIELD_NUMBER: _ClassVar[int]
        PRIORITY_FIELD_NUMBER: _ClassVar[int]
        update_type: MarketByOrderUpdate.UpdateType
        order_id: int
        bid_offer: _enums_pb2.BidOffer
        price: _price_pb2.Price
        volume: int
        priority: int
        def __init__(self, update_type: _Optional[_Union[MarketByOrderUpdate.UpdateType, str]] = ..., order_id: _Optional[int] = ..., bid_offer: _Optional[_Union[_enums_pb2.BidOffer, str]] = ..., price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., volume: _Optional[int] = ..., priority: _Optional[int] = ...) -> None: ...
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    market_id: str
    time: _timestamp_pb2.Timestamp
    mode: _enums_pb2.MarketMode
    sequence: int
    updates: _containers.RepeatedCompositeFieldContainer[MarketByOrderUpdate.Update]
    def __init__(self, market_id: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., mode: _Optional[_Union[_enums_pb2.MarketMode, str]] = ..., sequence: _Optional[int] = ..., updates: _Optional[_Iterable[_Union[MarketByOrderUpdate.Update, _Mapping]]] = ...) -> None: ...

class MarketByOrderTrade(_message.Message):
    __slots__ = ("market_id", "time", "trade_price", "trade_volume", "aggressor_side", "sequence", "orders")
    class OrderDetail(_message.Message):
        __slots__ = ("order_id", "volume", "bid_offer")
        ORDER_ID_FIELD_NUMBER: _ClassVar[int]
        VOLUME_FIELD_NUMBER: _ClassVar[int]
        BID_OFFER_FIELD_NUMBER: _ClassVar[int]
        order_id: int
        volume: int
        bid_offer: _enums_pb2.BidOffer
        def __init__(self, order_id: _Optional[int] = ..., volume: _Optional[int] = ..., bid_offer: _Optional[_Union[_enums_pb2.BidOffer, str]] = ...) -> None: ...
    MARKET_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    TRADE_PRICE_FIELD_NUMBER: _ClassVar[int]
    TRADE_VOLUME_FIELD_NUMBER: _ClassVar[int]
    AGGRESSOR_SIDE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    market_id: str
    time: _timestamp_pb2.Timestamp
    trade_price: _price_pb2.Price
    trade_volume: int
    aggressor_side: _enums_pb2.BidOffer
    sequence: int
    orders: _containers.RepeatedCompositeFieldContainer[MarketByOrderTrade.OrderDetail]
    def __init__(self, market_id: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., trade_price: _Optional[_Union[_price_pb2.Price, _Mapping]] = ..., trade_volume: _Optional[int] = ..., aggressor_side: _Optional[_Union[_enums_pb2.BidOffer, str]] = ..., sequence: _Optional[int] = ..., orders: _Optional[_Iterable[_Union[MarketByOrderTrade.OrderDetail, _Mapping]]] = ...) -> None: ...
