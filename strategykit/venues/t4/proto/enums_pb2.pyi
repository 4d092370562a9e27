from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class AccountCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCOUNT_CODE_UNDEFINED: _ClassVar[AccountCode]
    ACCOUNT_CODE_NONE: _ClassVar[AccountCode]
    ACCOUNT_CODE_GIVE_UP_TO_SINGLE_FIRM: _ClassVar[AccountCode]
    ACCOUNT_CODE_GIVE_UP_TO_MULTIPLE_FIRMS: _ClassVar[AccountCode]
    ACCOUNT_CODE_MARKET_MAKER: _ClassVar[AccountCode]
    ACCOUNT_CODE_AGENT_A1: _ClassVar[AccountCode]
    ACCOUNT_CODE_GIVE_UP_G1: _ClassVar[AccountCode]
    ACCOUNT_CODE_GIVE_UP_G2: _ClassVar[AccountCode]
    ACCOUNT_CODE_MARKET_MAKER_M1: _ClassVar[AccountCode]
    ACCOUNT_CODE_MARKET_MAKER_M2: _ClassVar[AccountCode]
    ACCOUNT_CODE_PROPRIETARY_P1: _ClassVar[AccountCode]
    ACCOUNT_CODE_PROPRIETARY_P2: _ClassVar[AccountCode]
    ACCOUNT_CODE_SEGREGATED: _ClassVar[AccountCode]
    ACCOUNT_CODE_NON_SEGREGATED: _ClassVar[AccountCode]
    ACCOUNT_CODE_HOUSE: _ClassVar[AccountCode]
    ACCOUNT_CODE_LOCAL: _ClassVar[AccountCode]
    ACCOUNT_CODE_DEFAULT: _ClassVar[AccountCode]
    ACCOUNT_CODE_ALLOCATED: _ClassVar[AccountCode]
    ACCOUNT_CODE_SPLIT: _ClassVar[AccountCode]
    ACCOUNT_CODE_UNASSIGNED: _ClassVar[AccountCode]
    ACCOUNT_CODE_GAS_ASSOCIATE: _ClassVar[AccountCode]
    ACCOUNT_CODE_CUSTOMER: _ClassVar[AccountCode]
    ACCOUNT_CODE_US_CUSTOMER_FUTURES: _ClassVar[AccountCode]
    ACCOUNT_CODE_US_CUSTOMER_SWAPS: _ClassVar[AccountCode]
    ACCOUNT_CODE_US_CUSTOMER_FBOT: _ClassVar[AccountCode]
    ACCOUNT_CODE_FIRM: _ClassVar[AccountCode]
    ACCOUNT_CODE_MEMBER_CUSTOMER_SEGREGATED_ACCOUNT: _ClassVar[AccountCode]
    ACCOUNT_CODE_MEMBER_HOUSE_ACCOUNT: _ClassVar[AccountCode]
    ACCOUNT_CODE_MEMBER_SIPC_PROTECTED_ACCOUNT: _ClassVar[AccountCode]
    ACCOUNT_CODE_USER_PROXY_FOR_TRADER_CUSTOMER_SEGREGATED_ACCOUNT: _ClassVar[AccountCode]
    ACCOUNT_CODE_USER_PROXY_FOR_TRADER_HOUSE_ACCOUNT: _ClassVar[AccountCode]
    ACCOUNT_CODE_USER_PROXY_FOR_TRADER_SIPC_PROTECTED_ACCOUNT: _ClassVar[AccountCode]
    ACCOUNT_CODE_NON_MEMBER_HOUSE_ACCOUNT: _ClassVar[AccountCode]
    ACCOUNT_CODE_NON_MEMBER_SIPC_PROTECTED_ACCOUNT: _ClassVar[AccountCode]
    ACCOUNT_CODE_CUSTOMER_FLOOR_BROKER_WORKSTATION: _ClassVar[AccountCode]
    ACCOUNT_CODE_AGENT_A2: _ClassVar[AccountCode]
    ACCOUNT_CODE_AGENT_A3: _ClassVar[AccountCode]
    ACCOUNT_CODE_AGENT_A4: _ClassVar[AccountCode]
    ACCOUNT_CODE_AGENT_A5: _ClassVar[AccountCode]
    ACCOUNT_CODE_AGENT_A6: _ClassVar[AccountCode]
    ACCOUNT_CODE_AGENT_A7: _ClassVar[AccountCode]
    ACCOUNT_CODE_AGENT_A8: _ClassVar[AccountCode]
    ACCOUNT_CODE_AGENT_A9: _ClassVar[AccountCode]
    ACCOUNT_CODE_CLIENT_SEGREGATED_E: _ClassVar[AccountCode]
    ACCOUNT_CODE_CLIENT_SEGREGATED_K: _ClassVar[AccountCode]
    ACCOUNT_CODE_CLIENT_SEGREGATED_R: _ClassVar[AccountCode]
    ACCOUNT_CODE_SEGREGATED_T: _ClassVar[AccountCode]
    ACCOUNT_CODE_INDIRECT_CLEARING_GROSS_ISOC_CASS: _ClassVar[AccountCode]
    ACCOUNT_CODE_INDIRECT_CLEARING_GROSS_ISOC_TTFCA: _ClassVar[AccountCode]
    ACCOUNT_CODE_INDIRECT_CLEARING_GROSS_CASS: _ClassVar[AccountCode]
    ACCOUNT_CODE_INDIRECT_CLEARING_GROSS_TTFCA: _ClassVar[AccountCode]
    ACCOUNT_CODE_INDIRECT_CLEARING_NET_CASS: _ClassVar[AccountCode]
    ACCOUNT_CODE_INDIRECT_CLEARING_NETS_TTFCA: _ClassVar[AccountCode]
    ACCOUNT_CODE_RO: _ClassVar[AccountCode]
    ACCOUNT_CODE_LIQUIDITY_PROVIDER: _ClassVar[AccountCode]
    ACCOUNT_CODE_RELATED_PARTY: _ClassVar[AccountCode]
    ACCOUNT_CODE_STRUCTURED_PRODUCT_MARKET_MAKER: _ClassVar[AccountCode]
    ACCOUNT_CODE_OMEGA_CLIENT: _ClassVar[AccountCode]
    ACCOUNT_CODE_CERES_CLIENT: _ClassVar[AccountCode]

class AccountEnabled(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCOUNT_ENABLED_DISABLED: _ClassVar[AccountEnabled]
    ACCOUNT_ENABLED_ENABLED: _ClassVar[AccountEnabled]
    ACCOUNT_ENABLED_BACK_OFFICE_ONLY: _ClassVar[AccountEnabled]
    ACCOUNT_ENABLED_PIT_TRADE_ONLY: _ClassVar[AccountEnabled]

class AccountMarginType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCOUNT_MARGIN_TYPE_SPEC: _ClassVar[AccountMarginType]
    ACCOUNT_MARGIN_TYPE_HEDGE_OR_MEMBER: _ClassVar[AccountMarginType]
    ACCOUNT_MARGIN_TYPE_FIRM_OR_ACCOUNT: _ClassVar[AccountMarginType]

class AccountMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCOUNT_MODE_BY_MARKET: _ClassVar[AccountMode]
    ACCOUNT_MODE_BY_CONTRACT: _ClassVar[AccountMode]
    ACCOUNT_MODE_BY_ACCOUNT: _ClassVar[AccountMode]
    ACCOUNT_MODE_BY_ACCOUNT_DAY: _ClassVar[AccountMode]
    ACCOUNT_MODE_BY_PORTFOLIO: _ClassVar[AccountMode]
    ACCOUNT_MODE_T500: _ClassVar[AccountMode]
    ACCOUNT_MODE_T500_DEMO: _ClassVar[AccountMode]
    ACCOUNT_MODE_AUTO_LIQ: _ClassVar[AccountMode]
    ACCOUNT_MODE_UNKNOWN: _ClassVar[AccountMode]

class AccountStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCOUNT_STATUS_UNKNOWN: _ClassVar[AccountStatus]
    ACCOUNT_STATUS_BLOCKED: _ClassVar[AccountStatus]
    ACCOUNT_STATUS_OK: _ClassVar[AccountStatus]
    ACCOUNT_STATUS_UNRESTRICTED: _ClassVar[AccountStatus]
    ACCOUNT_STATUS_DELETED: _ClassVar[AccountStatus]
    ACCOUNT_STATUS_DISABLED: _ClassVar[AccountStatus]
    ACCOUNT_STATUS_OUTSIDE_ACTIVE_TIME: _ClassVar[AccountStatus]
    ACCOUNT_STATUS_NOT_ACCESSIBLE: _ClassVar[AccountStatus]
    ACCOUNT_STATUS_PIT_TRADE_ONLY: _ClassVar[AccountStatus]
    ACCOUNT_STATUS_LOSS_LIMIT_EXCEEDED: _ClassVar[AccountStatus]

class AccountSubscribeType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCOUNT_SUBSCRIBE_TYPE_NONE: _ClassVar[AccountSubscribeType]
    ACCOUNT_SUBSCRIBE_TYPE_ALL_UPDATES: _ClassVar[AccountSubscribeType]

class ActivationType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTIVATION_TYPE_IMMEDIATE: _ClassVar[ActivationType]
    ACTIVATION_TYPE_HOLD: _ClassVar[ActivationType]
    ACTIVATION_TYPE_TRIGGERED: _ClassVar[ActivationType]
    ACTIVATION_TYPE_AT_OR_AFTER_TIME: _ClassVar[ActivationType]
    ACTIVATION_TYPE_AT_OR_ABOVE_TRADE_TICKS: _ClassVar[ActivationType]
    ACTIVATION_TYPE_AT_OR_BELOW_TRADE_TICKS: _ClassVar[ActivationType]
    ACTIVATION_TYPE_ON_MARKET_MODE: _ClassVar[ActivationType]
    ACTIVATION_TYPE_TRIGGERED_AT_OR_AFTER_TIME: _ClassVar[ActivationType]
    ACTIVATION_TYPE_TRIGGERED_AT_OR_ABOVE_TRADE_TICKS: _ClassVar[ActivationType]
    ACTIVATION_TYPE_TRIGGERED_AT_OR_BELOW_TRADE_TICKS: _ClassVar[ActivationType]
    ACTIVATION_TYPE_TRIGGERED_ON_MARKET_MODE: _ClassVar[ActivationType]
    ACTIVATION_TYPE_QUEUE: _ClassVar[ActivationType]
    ACTIVATION_TYPE_TRIGGERED_QUEUE: _ClassVar[ActivationType]
    ACTIVATION_TYPE_PIT_FILLED_QUEUE: _ClassVar[ActivationType]
    ACTIVATION_TYPE_AT_OR_ABOVE_TICKS: _ClassVar[ActivationType]
    ACTIVATION_TYPE_AT_OR_BELOW_TICKS: _ClassVar[ActivationType]
    ACTIVATION_TYPE_TRIGGERED_AT_OR_ABOVE_TICKS: _ClassVar[ActivationType]
    ACTIVATION_TYPE_TRIGGERED_AT_OR_BELOW_TICKS: _ClassVar[ActivationType]
    ACTIVATION_TYPE_MARKET_ON_CLOSE: _ClassVar[ActivationType]
    ACTIVATION_TYPE_UNDEFINED: _ClassVar[ActivationType]

class ApplicationType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPLICATION_TYPE_MANUAL: _ClassVar[ApplicationType]
    APPLICATION_TYPE_ATS: _ClassVar[ApplicationType]
    APPLICATION_TYPE_PROFESSIONAL: _ClassVar[ApplicationType]
    APPLICATION_TYPE_NON_PROFESSIONAL: _ClassVar[ApplicationType]
    APPLICATION_TYPE_TRADE_DESK: _ClassVar[ApplicationType]
    APPLICATION_TYPE_WALLBOARD: _ClassVar[ApplicationType]
    APPLICATION_TYPE_SUB_VENDOR: _ClassVar[ApplicationType]
    APPLICATION_TYPE_ATS_DISPLAY: _ClassVar[ApplicationType]
    APPLICATION_TYPE_FINANCIAL_PROFESSIONAL: _ClassVar[ApplicationType]

class AvgPriceIndicatorType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AVG_PRICE_INDICATOR_TYPE_NONE: _ClassVar[AvgPriceIndicatorType]
    AVG_PRICE_INDICATOR_TYPE_AVERAGE_PRICE_GROUP: _ClassVar[AvgPriceIndicatorType]
    AVG_PRICE_INDICATOR_TYPE_NOTIONAL_VALUE_AVERAGE: _ClassVar[AvgPriceIndicatorType]

class BidOffer(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BID_OFFER_UNDEFINED: _ClassVar[BidOffer]
    BID_OFFER_BID: _ClassVar[BidOffer]
    BID_OFFER_OFFER: _ClassVar[BidOffer]

class BillingFee(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BILLING_FEE_UNDEFINED: _ClassVar[BillingFee]
    BILLING_FEE_CUSTOMER: _ClassVar[BillingFee]
    BILLING_FEE_EQUITY_MEMBER: _ClassVar[BillingFee]
    BILLING_FEE_FIRM_106HJ: _ClassVar[BillingFee]
    BILLING_FEE_LESSEE_106F_EMPLOYEE: _ClassVar[BillingFee]
    BILLING_FEE_CBOE_MEMBER: _ClassVar[BillingFee]

class BuySell(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUY_SELL_UNDEFINED: _ClassVar[BuySell]
    BUY_SELL_BUY: _ClassVar[BuySell]
    BUY_SELL_SELL: _ClassVar[BuySell]

class CTI(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CTI_UNDEFINED: _ClassVar[CTI]
    CTI_MEMBER: _ClassVar[CTI]
    CTI_PROPRIETARY: _ClassVar[CTI]
    CTI_BROKER_MEMBER: _ClassVar[CTI]
    CTI_BROKER_CUSTOMER: _ClassVar[CTI]
    CTI_NONE: _ClassVar[CTI]

class ClearingTradePriceType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLEARING_TRADE_PRICE_TYPE_EXECUTION_PRICE: _ClassVar[ClearingTradePriceType]
    CLEARING_TRADE_PRICE_TYPE_ALTERNATE_CLEARING_PRICE: _ClassVar[ClearingTradePriceType]

class ContractRiskStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTRACT_RISK_STATUS_NONE: _ClassVar[ContractRiskStatus]
    CONTRACT_RISK_STATUS_DAY_TRADING: _ClassVar[ContractRiskStatus]
    CONTRACT_RISK_STATUS_ALERTING: _ClassVar[ContractRiskStatus]
    CONTRACT_RISK_STATUS_LIQUIDATION: _ClassVar[ContractRiskStatus]
    CONTRACT_RISK_STATUS_LIQUIDATION_WAITING: _ClassVar[ContractRiskStatus]
    CONTRACT_RISK_STATUS_BLOCK_EXPIRATION_LIQUIDATION: _ClassVar[ContractRiskStatus]
    CONTRACT_RISK_STATUS_PRICE_LIMIT_LIQUIDATION: _ClassVar[ContractRiskStatus]

class ContractType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTRACT_TYPE_UNKNOWN: _ClassVar[ContractType]
    CONTRACT_TYPE_OPTION: _ClassVar[ContractType]
    CONTRACT_TYPE_OPTION_CALL: _ClassVar[ContractType]
    CONTRACT_TYPE_OPTION_PUT: _ClassVar[ContractType]
    CONTRACT_TYPE_STOCK: _ClassVar[ContractType]
    CONTRACT_TYPE_FUTURE: _ClassVar[ContractType]
    CONTRACT_TYPE_INDEX: _ClassVar[ContractType]
    CONTRACT_TYPE_SYNTHETIC: _ClassVar[ContractType]
    CONTRACT_TYPE_BINARY_OPTION: _ClassVar[ContractType]
    CONTRACT_TYPE_UDS: _ClassVar[ContractType]
    CONTRACT_TYPE_FX_SPOT: _ClassVar[ContractType]
    CONTRACT_TYPE_ANY: _ClassVar[ContractType]

class CustOrderHandlingInstType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CUST_ORDER_HANDLING_INST_TYPE_NONE: _ClassVar[CustOrderHandlingInstType]
    CUST_ORDER_HANDLING_INST_TYPE_DESK: _ClassVar[CustOrderHandlingInstType]
    CUST_ORDER_HANDLING_INST_TYPE_ELECTRONIC: _ClassVar[CustOrderHandlingInstType]
    CUST_ORDER_HANDLING_INST_TYPE_VENDOR_PROVIDED_PLATFORM: _ClassVar[CustOrderHandlingInstType]
    CUST_ORDER_HANDLING_INST_TYPE_SPONSORED_ACCESS_VIA_API_OR_FIX: _ClassVar[CustOrderHandlingInstType]
    CUST_ORDER_HANDLING_INST_TYPE_PREMIUM_ALGO_TRADING_PROVIDER: _ClassVar[CustOrderHandlingInstType]
    CUST_ORDER_HANDLING_INST_TYPE_OTHER: _ClassVar[CustOrderHandlingInstType]

class DepthBuffer(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEPTH_BUFFER_NO_SUBSCRIPTION: _ClassVar[DepthBuffer]
    DEPTH_BUFFER_SLOW_TRADE: _ClassVar[DepthBuffer]
    DEPTH_BUFFER_SMART_TRADE: _ClassVar[DepthBuffer]
    DEPTH_BUFFER_SLOW_SMART: _ClassVar[DepthBuffer]
    DEPTH_BUFFER_SMART: _ClassVar[DepthBuffer]
    DEPTH_BUFFER_FAST_SMART: _ClassVar[DepthBuffer]
    DEPTH_BUFFER_ALL: _ClassVar[DepthBuffer]
    DEPTH_BUFFER_FAST_TRADE: _ClassVar[DepthBuffer]
    DEPTH_BUFFER_TRADE_ONLY: _ClassVar[DepthBuffer]

class DepthLevels(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEPTH_LEVELS_UNDEFINED: _ClassVar[DepthLevels]
    DEPTH_LEVELS_BEST_ONLY: _ClassVar[DepthLevels]
    DEPTH_LEVELS_NORMAL: _ClassVar[DepthLevels]
    DEPTH_LEVELS_ALL: _ClassVar[DepthLevels]

class LoginResult(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOGIN_RESULT_SUCCESS: _ClassVar[LoginResult]
    LOGIN_RESULT_FAILED: _ClassVar[LoginResult]
    LOGIN_RESULT_APPLICATION_NOT_VALID: _ClassVar[LoginResult]
    LOGIN_RESULT_FIRM_NOT_ALLOWED: _ClassVar[LoginResult]
    LOGIN_RESULT_USER_NOT_ALLOWED: _ClassVar[LoginResult]
    LOGIN_RESULT_INCORRECT_VERSION: _ClassVar[LoginResult]
    LOGIN_RESULT_LOGGED_IN_ELSEWHERE: _ClassVar[LoginResult]
    LOGIN_RESULT_LOGOUT: _ClassVar[LoginResult]
    LOGIN_RESULT_UNEXPECTED_DISCONNECT: _ClassVar[LoginResult]
    LOGIN_RESULT_UNAUTHORIZED: _ClassVar[LoginResult]
    LOGIN_RESULT_UNEXPECTED_ERROR: _ClassVar[LoginResult]
    LOGIN_RESULT_ROLE_NOT_SUPPORTED: _ClassVar[LoginResult]
    LOGIN_RESULT_API_MESSAGE_BACKLOG: _ClassVar[LoginResult]
    LOGIN_RESULT_SERVER_MESSAGE_BACKLOG: _ClassVar[LoginResult]
    LOGIN_RESULT_PASSWORD_EXPIRED: _ClassVar[LoginResult]
    LOGIN_RESULT_PASSWORD_CHANGE_FAILED: _ClassVar[LoginResult]
    LOGIN_RESULT_PASSWORD_ALREADY_USED: _ClassVar[LoginResult]
    LOGIN_RESULT_LOCKED_OUT: _ClassVar[LoginResult]
    LOGIN_RESULT_ADDITIONAL_USERS_NOT_ALLOWED: _ClassVar[LoginResult]
    LOGIN_RESULT_MARKET_DATA_NOT_SETUP: _ClassVar[LoginResult]
    LOGIN_RESULT_TWO_FACTOR_NOT_SETUP: _ClassVar[LoginResult]
    LOGIN_RESULT_TWO_FACTOR_FAILED: _ClassVar[LoginResult]
    LOGIN_RESULT_FIX_SESSION_ERROR: _ClassVar[LoginResult]
    LOGIN_RESULT_TWO_FACTOR_REQUIRED: _ClassVar[LoginResult]
    LOGIN_RESULT_USER_EXISTS: _ClassVar[LoginResult]
    LOGIN_RESULT_UNKNOWN: _ClassVar[LoginResult]

class MarketDataType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MARKET_DATA_TYPE_NONE: _ClassVar[MarketDataType]
    MARKET_DATA_TYPE_TOB: _ClassVar[MarketDataType]
    MARKET_DATA_TYPE_DEPTH: _ClassVar[MarketDataType]
    MARKET_DATA_TYPE_E_MINI: _ClassVar[MarketDataType]
    MARKET_DATA_TYPE_DELAYED: _ClassVar[MarketDataType]
    MARKET_DATA_TYPE_NOT_SET: _ClassVar[MarketDataType]

class MarketFlags2(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MARKET_FLAGS2_UNDEFINED: _ClassVar[MarketFlags2]
    MARKET_FLAGS2_FAST: _ClassVar[MarketFlags2]
    MARKET_FLAGS2_PRICE_LIMITS_ENABLED: _ClassVar[MarketFlags2]
    MARKET_FLAGS2_NO_CANCEL: _ClassVar[MarketFlags2]
    MARKET_FLAGS2_IMPLIED_OFF: _ClassVar[MarketFlags2]
    MARKET_FLAGS2_NEW_PRICE_INDICATION: _ClassVar[MarketFlags2]
    MARKET_FLAGS2_NOT_AVAILABLE_FOR_TRADING: _ClassVar[MarketFlags2]
    MARKET_FLAGS2_POST_CLOSE: _ClassVar[MarketFlags2]
    MARKET_FLAGS2_GROUP_SCHEDULE: _ClassVar[MarketFlags2]
    MARKET_FLAGS2_INSTRUMENT_ACTIVATION: _ClassVar[MarketFlags2]
    MARKET_FLAGS2_INSTRUMENT_EXPIRATION: _ClassVar[MarketFlags2]
    MARKET_FLAGS2_MARKET_EVENT: _ClassVar[MarketFlags2]
    MARKET_FLAGS2_RECOVERY_IN_PROCESS: _ClassVar[MarketFlags2]
    MARKET_FLAGS2_SURVEILLANCE_INTERVENTION: _ClassVar[MarketFlags2]

class MarketMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MARKET_MODE_UNDEFINED: _ClassVar[MarketMode]
    MARKET_MODE_PRE_OPEN: _ClassVar[MarketMode]
    MARKET_MODE_OPEN: _ClassVar[MarketMode]
    MARKET_MODE_RESTRICTED_OPEN: _ClassVar[MarketMode]
    MARKET_MODE_PRE_CLOSED: _ClassVar[MarketMode]
    MARKET_MODE_CLOSED: _ClassVar[MarketMode]
    MARKET_MODE_SUSPENDED: _ClassVar[MarketMode]
    MARKET_MODE_HALTED: _ClassVar[MarketMode]
    MARKET_MODE_FAILED: _ClassVar[MarketMode]
    MARKET_MODE_PRE_CROSS: _ClassVar[MarketMode]
    MARKET_MODE_CROSS: _ClassVar[MarketMode]
    MARKET_MODE_EXPIRED: _ClassVar[MarketMode]
    MARKET_MODE_REJECTED: _ClassVar[MarketMode]
    MARKET_MODE_UNAVAILABLE: _ClassVar[MarketMode]
    MARKET_MODE_NO_PERMISSION: _ClassVar[MarketMode]

class MasterType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MASTER_TYPE_MASTER: _ClassVar[MasterType]
    MASTER_TYPE_CHILD: _ClassVar[MasterType]

class OpenClose(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPEN_CLOSE_OPEN: _ClassVar[OpenClose]
    OPEN_CLOSE_CLOSE: _ClassVar[OpenClose]
    OPEN_CLOSE_UNDEFINED: _ClassVar[OpenClose]

class OrderChange(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_CHANGE_NONE: _ClassVar[OrderChange]
    ORDER_CHANGE_FAILED: _ClassVar[OrderChange]
    ORDER_CHANGE_SUBMISSION_RISK_SUCCESS: _ClassVar[OrderChange]
    ORDER_CHANGE_SUBMISSION_RISK_REJECTED: _ClassVar[OrderChange]
    ORDER_CHANGE_SUBMISSION_SENT: _ClassVar[OrderChange]
    ORDER_CHANGE_SUBMISSION_FAILED: _ClassVar[OrderChange]
    ORDER_CHANGE_SUBMISSION_SUCCESS: _ClassVar[OrderChange]
    ORDER_CHANGE_SUBMISSION_REJECTED: _ClassVar[OrderChange]
    ORDER_CHANGE_REVISION_RISK_SUCCESS: _ClassVar[OrderChange]
    ORDER_CHANGE_REVISION_RISK_FAILED: _ClassVar[OrderChange]
    ORDER_CHANGE_REVISION_SENT: _ClassVar[OrderChange]
    ORDER_CHANGE_REVISION_FAILED: _ClassVar[OrderChange]
    ORDER_CHANGE_REVISION_SUCCESS: _ClassVar[OrderChange]
    ORDER_CHANGE_REVISION_REJECTED: _ClassVar[OrderChange]
    ORDER_CHANGE_PULL_RISK_SUCCESS: _ClassVar[OrderChange]
    ORDER_CHANGE_PULL_RISK_FAILED: _ClassVar[OrderChange]
    ORDER_CHANGE_PULL_SENT: _ClassVar[OrderChange]
    ORDER_CHANGE_PULL_FAILED: _ClassVar[OrderChange]
    ORDER_CHANGE_PULL_SUCCESS: _ClassVar[OrderChange]
    ORDER_CHANGE_PULL_REJECTED: _ClassVar[OrderChange]
    ORDER_CHANGE_TRADE: _ClassVar[OrderChange]
    ORDER_CHANGE_TRADE_COMPLETED: _ClassVar[OrderChange]
    ORDER_CHANGE_TRADE_BUSTED: _ClassVar[OrderChange]
    ORDER_CHANGE_HANDOVER: _ClassVar[OrderChange]
    ORDER_CHANGE_STATUS_REQUEST_RISK_SUCCESS: _ClassVar[OrderChange]
    ORDER_CHANGE_STATUS_REQUEST_RISK_FAILED: _ClassVar[OrderChange]
    ORDER_CHANGE_STATUS_REQUEST_SENT: _ClassVar[OrderChange]
    ORDER_CHANGE_STATUS_REQUEST_FAILED: _ClassVar[OrderChange]
    ORDER_CHANGE_STATUS_REQUEST_SUCCESS: _ClassVar[OrderChange]
    ORDER_CHANGE_STATUS_REQUEST_REJECTED: _ClassVar[OrderChange]
    ORDER_CHANGE_ROLLOVER: _ClassVar[OrderChange]
    ORDER_CHANGE_TAG_SUCCESS: _ClassVar[OrderChange]
    ORDER_CHANGE_TAG_FAILED: _ClassVar[OrderChange]
    ORDER_CHANGE_ADD_PIT_TRADE_SUCCESS: _ClassVar[OrderChange]
    ORDER_CHANGE_ADD_PIT_TRADE_FAILED: _ClassVar[OrderChange]
    ORDER_CHANGE_ADD_PIT_TRADE_REJECTED: _ClassVar[OrderChange]

class OrderLink(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_LINK_NONE: _ClassVar[OrderLink]
    ORDER_LINK_OCO: _ClassVar[OrderLink]
    ORDER_LINK_AUTO_OCO: _ClassVar[OrderLink]
    ORDER_LINK_SPARK: _ClassVar[OrderLink]
    ORDER_LINK_CLIENT_SYNTHETIC: _ClassVar[OrderLink]
    ORDER_LINK_SPARK2: _ClassVar[OrderLink]
    ORDER_LINK_CHAIN2: _ClassVar[OrderLink]
    ORDER_LINK_AUTO_OCO_P: _ClassVar[OrderLink]
    ORDER_LINK_AUTO_OCO_M: _ClassVar[OrderLink]
    ORDER_LINK_AUTO_OCO_MP: _ClassVar[OrderLink]

class OrderSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_SOURCE_UNKNOWN: _ClassVar[OrderSource]
    ORDER_SOURCE_API: _ClassVar[OrderSource]
    ORDER_SOURCE_WEB_TRADER: _ClassVar[OrderSource]
    ORDER_SOURCE_MOBILE: _ClassVar[OrderSource]
    ORDER_SOURCE_DATA_IMPORT: _ClassVar[OrderSource]
    ORDER_SOURCE_ACCOUNT_HANDLER: _ClassVar[OrderSource]
    ORDER_SOURCE_STATIC_LADDER: _ClassVar[OrderSource]
    ORDER_SOURCE_SCROLLING_LADDER: _ClassVar[OrderSource]
    ORDER_SOURCE_CENTERED_LADDER: _ClassVar[OrderSource]
    ORDER_SOURCE_AUTO_RECENTERED_LADDER: _ClassVar[OrderSource]
    ORDER_SOURCE_DEPTH: _ClassVar[OrderSource]
    ORDER_SOURCE_QUOTEBOARD: _ClassVar[OrderSource]
    ORDER_SOURCE_OPTIONBOARD: _ClassVar[OrderSource]
    ORDER_SOURCE_ADV_OPTIONBOARD: _ClassVar[OrderSource]
    ORDER_SOURCE_ORDERBOOK: _ClassVar[OrderSource]
    ORDER_SOURCE_SPREAD_MATRIX: _ClassVar[OrderSource]
    ORDER_SOURCE_FIX_API: _ClassVar[OrderSource]
    ORDER_SOURCE_CLIENT_SPREADER: _ClassVar[OrderSource]
    ORDER_SOURCE_ANTS_OPTION_SHEET: _ClassVar[OrderSource]
    ORDER_SOURCE_ANTS_OPTION_STRATEGY_SOLVER: _ClassVar[OrderSource]
    ORDER_SOURCE_JAVA_API: _ClassVar[OrderSource]
    ORDER_SOURCE_ANTS_OPTION_STRATEGIES_WINDOW: _ClassVar[OrderSource]
    ORDER_SOURCE_CHART: _ClassVar[OrderSource]
    ORDER_SOURCE_STP: _ClassVar[OrderSource]
    ORDER_SOURCE_T4_ANDROID_SCROLLING_LADDER: _ClassVar[OrderSource]
    ORDER_SOURCE_T4_ANDROID_CENTERED_LADDER: _ClassVar[OrderSource]
    ORDER_SOURCE_T4_ANDROID_AUTO_RECENTERED_LADDER: _ClassVar[OrderSource]
    ORDER_SOURCE_T4_ANDROID_DEPTH: _ClassVar[OrderSource]
    ORDER_SOURCE_T4_ANDROID_QUOTEBOARD: _ClassVar[OrderSource]
    ORDER_SOURCE_T4_ANDROID_POSITIONS: _ClassVar[OrderSource]
    ORDER_SOURCE_T4_ANDROID_ORDERS: _ClassVar[OrderSource]
    ORDER_SOURCE_T4_ANDROID_CHART: _ClassVar[OrderSource]
    ORDER_SOURCE_MQ: _ClassVar[OrderSource]
    ORDER_SOURCE_IOS_API: _ClassVar[OrderSource]
    ORDER_SOURCE_T4_IOS_SCROLLING_LADDER: _ClassVar[OrderSource]
    ORDER_SOURCE_T4_IOS_CENTERED_LADDER: _ClassVar[OrderSource]
    ORDER_SOURCE_T4_IOS_AUTO_RECENTERED_LADDER: _ClassVar[OrderSource]
    ORDER_SOURCE_T4_IOS_DEPTH: _ClassVar[OrderSource]
    ORDER_SOURCE_T4_IOS_QUOTEBOARD: _ClassVar[OrderSource]
    ORDER_SOURCE_T4_IOS_POSITIONS: _ClassVar[OrderSource]
    ORDER_SOURCE_T4_IOS_ORDERS: _ClassVar[OrderSource]
    ORDER_SOURCE_T4_IOS_CHART: _ClassVar[OrderSource]
    ORDER_SOURCE_KEYBOARD: _ClassVar[OrderSource]
    ORDER_SOURCE_HTTP_API: _ClassVar[OrderSource]

class OrderSourceMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_SOURCE_METHOD_UNKNOWN: _ClassVar[OrderSourceMethod]
    ORDER_SOURCE_METHOD_CLICK: _ClassVar[OrderSourceMethod]
    ORDER_SOURCE_METHOD_PROMPT: _ClassVar[OrderSourceMethod]
    ORDER_SOURCE_METHOD_PRICE_CONFIRM: _ClassVar[OrderSourceMethod]
    ORDER_SOURCE_METHOD_ORDER_TICKET: _ClassVar[OrderSourceMethod]
    ORDER_SOURCE_METHOD_KEY_ENTRY: _ClassVar[OrderSourceMethod]
    ORDER_SOURCE_METHOD_ORDER_LOAD_BAR: _ClassVar[OrderSourceMethod]
    ORDER_SOURCE_METHOD_CONTRACT_TICKET: _ClassVar[OrderSourceMethod]
    ORDER_SOURCE_METHOD_QUEUED_ORDER_TICKET: _ClassVar[OrderSourceMethod]
    ORDER_SOURCE_METHOD_CLEARING_HOUSE: _ClassVar[OrderSourceMethod]
    ORDER_SOURCE_METHOD_ELECTRONIC: _ClassVar[OrderSourceMethod]
    ORDER_SOURCE_METHOD_OFF_FACILITY_SWAP: _ClassVar[OrderSourceMethod]
    ORDER_SOURCE_METHOD_PIT: _ClassVar[OrderSourceMethod]
    ORDER_SOURCE_METHOD_REGISTERED_MARKET: _ClassVar[OrderSourceMethod]
    ORDER_SOURCE_METHOD_EX_PIT: _ClassVar[OrderSourceMethod]
    ORDER_SOURCE_METHOD_ACCOUNT_SERVICE_AUTO_LIQUIDATION: _ClassVar[OrderSourceMethod]

class OrderStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_STATUS_NONE: _ClassVar[OrderStatus]
    ORDER_STATUS_WORKING: _ClassVar[OrderStatus]
    ORDER_STATUS_FINISHED: _ClassVar[OrderStatus]
    ORDER_STATUS_REJECTED: _ClassVar[OrderStatus]
    ORDER_STATUS_HELD: _ClassVar[OrderStatus]
    ORDER_STATUS_NO_CHANGE: _ClassVar[OrderStatus]

class Origin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORIGIN_UNDEFINED: _ClassVar[Origin]
    ORIGIN_CUSTOMER: _ClassVar[Origin]
    ORIGIN_NON_CUSTOMER: _ClassVar[Origin]
    ORIGIN_OTHER_MEMBERS: _ClassVar[Origin]
    ORIGIN_FLOOR_BROKERS: _ClassVar[Origin]
    ORIGIN_POSTING_NONE: _ClassVar[Origin]
    ORIGIN_POSTING_MANUAL: _ClassVar[Origin]
    ORIGIN_POSTING_AUTOMATIC: _ClassVar[Origin]
    ORIGIN_POSTING_GIVE_UP: _ClassVar[Origin]
    ORIGIN_POSTING_AUTO_AND_ACT_AUTHORISATION: _ClassVar[Origin]
    ORIGIN_POSTING_MANUAL_AND_ACT_AUTHORISATION: _ClassVar[Origin]
    ORIGIN_PRINCIPAL: _ClassVar[Origin]
    ORIGIN_MARKET_MAKER: _ClassVar[Origin]

class PriceFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRICE_FORMAT_DECIMAL: _ClassVar[PriceFormat]
    PRICE_FORMAT_REAL: _ClassVar[PriceFormat]
    PRICE_FORMAT_CLEARING_DECIMAL: _ClassVar[PriceFormat]

class PriceType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRICE_TYPE_MARKET: _ClassVar[PriceType]
    PRICE_TYPE_LIMIT: _ClassVar[PriceType]
    PRICE_TYPE_STOP_MARKET: _ClassVar[PriceType]
    PRICE_TYPE_STOP_LIMIT: _ClassVar[PriceType]
    PRICE_TYPE_OVERNIGHT_POSITION: _ClassVar[PriceType]
    PRICE_TYPE_PIT: _ClassVar[PriceType]
    PRICE_TYPE_MARKET_IF_TOUCHED: _ClassVar[PriceType]
    PRICE_TYPE_STOP_SAME_LIMIT: _ClassVar[PriceType]
    PRICE_TYPE_JOIN: _ClassVar[PriceType]
    PRICE_TYPE_HIT: _ClassVar[PriceType]
    PRICE_TYPE_BACK_OFFICE_POSITION: _ClassVar[PriceType]
    PRICE_TYPE_SYNTHETIC_MARKET: _ClassVar[PriceType]
    PRICE_TYPE_SYNTHETIC_LIMIT: _ClassVar[PriceType]
    PRICE_TYPE_SYNTHETIC_STOP_MARKET: _ClassVar[PriceType]
    PRICE_TYPE_SYNTHETIC_STOP_LIMIT: _ClassVar[PriceType]
    PRICE_TYPE_RFQ: _ClassVar[PriceType]
    PRICE_TYPE_FLATTEN: _ClassVar[PriceType]
    PRICE_TYPE_IMPORT: _ClassVar[PriceType]
    PRICE_TYPE_OPTIONS_SETTLEMENT: _ClassVar[PriceType]
    PRICE_TYPE_UNDEFINED: _ClassVar[PriceType]

class PrimaryUserType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIMARY_USER_TYPE_PRIMARY: _ClassVar[PrimaryUserType]
    PRIMARY_USER_TYPE_SECONDARY: _ClassVar[PrimaryUserType]
    PRIMARY_USER_TYPE_SECONDARY_APPLIED: _ClassVar[PrimaryUserType]
    PRIMARY_USER_TYPE_SECONDARY_NOT_APPLIED: _ClassVar[PrimaryUserType]

class ResponsePending(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESPONSE_PENDING_NONE: _ClassVar[ResponsePending]
    RESPONSE_PENDING_SUBMISSION: _ClassVar[ResponsePending]
    RESPONSE_PENDING_REVISION: _ClassVar[ResponsePending]
    RESPONSE_PENDING_PULL: _ClassVar[ResponsePending]
    RESPONSE_PENDING_STATUS: _ClassVar[ResponsePending]
    RESPONSE_PENDING_NO_CHANGE: _ClassVar[ResponsePending]

class StrategyType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STRATEGY_TYPE_NONE: _ClassVar[StrategyType]
    STRATEGY_TYPE_CALENDAR_SPREAD: _ClassVar[StrategyType]
    STRATEGY_TYPE_RT_CALENDAR_SPREAD: _ClassVar[StrategyType]
    STRATEGY_TYPE_INTER_CONTRACT_SPREAD: _ClassVar[StrategyType]
    STRATEGY_TYPE_BUTTERFLY: _ClassVar[StrategyType]
    STRATEGY_TYPE_CONDOR: _ClassVar[StrategyType]
    STRATEGY_TYPE_DOUBLE_BUTTERFLY: _ClassVar[StrategyType]
    STRATEGY_TYPE_HORIZONTAL: _ClassVar[StrategyType]
    STRATEGY_TYPE_BUNDLE: _ClassVar[StrategyType]
    STRATEGY_TYPE_MONTH_VS_PACK: _ClassVar[StrategyType]
    STRATEGY_TYPE_PACK: _ClassVar[StrategyType]
    STRATEGY_TYPE_PACK_SPREAD: _ClassVar[StrategyType]
    STRATEGY_TYPE_PACK_BUTTERFLY: _ClassVar[StrategyType]
    STRATEGY_TYPE_BUNDLE_SPREAD: _ClassVar[StrategyType]
    STRATEGY_TYPE_STRIP: _ClassVar[StrategyType]
    STRATEGY_TYPE_CRACK: _ClassVar[StrategyType]
    STRATEGY_TYPE_TREASURY_SPREAD: _ClassVar[StrategyType]
    STRATEGY_TYPE_CRUSH: _ClassVar[StrategyType]
    STRATEGY_TYPE_THREE_WAY: _ClassVar[StrategyType]
    STRATEGY_TYPE_THREE_WAY_STRADDLE_VS_CALL: _ClassVar[StrategyType]
    STRATEGY_TYPE_THREE_WAY_STRADDLE_VS_PUT: _ClassVar[StrategyType]
    STRATEGY_TYPE_BOX: _ClassVar[StrategyType]
    STRATEGY_TYPE_XMAS_TREE: _ClassVar[StrategyType]
    STRATEGY_TYPE_CONDITIONAL_CURVE: _ClassVar[StrategyType]
    STRATEGY_TYPE_DOUBLE: _ClassVar[StrategyType]
    STRATEGY_TYPE_HORIZONTAL_STRADDLE: _ClassVar[StrategyType]
    STRATEGY_TYPE_IRON_CONDOR: _ClassVar[StrategyType]
    STRATEGY_TYPE_RATIO_1X2: _ClassVar[StrategyType]
    STRATEGY_TYPE_RATIO_1X3: _ClassVar[StrategyType]
    STRATEGY_TYPE_RATIO_2X3: _ClassVar[StrategyType]
    STRATEGY_TYPE_RISK_REVERSAL: _ClassVar[StrategyType]
    STRATEGY_TYPE_STRADDLE_STRIP: _ClassVar[StrategyType]
    STRATEGY_TYPE_STRADDLE: _ClassVar[StrategyType]
    STRATEGY_TYPE_STRANGLE: _ClassVar[StrategyType]
    STRATEGY_TYPE_VERTICAL: _ClassVar[StrategyType]
    STRATEGY_TYPE_JELLY_ROLL: _ClassVar[StrategyType]
    STRATEGY_TYPE_IRON_BUTTERFLY: _ClassVar[StrategyType]
    STRATEGY_TYPE_GUTS: _ClassVar[StrategyType]
    STRATEGY_TYPE_GENERIC: _ClassVar[StrategyType]
    STRATEGY_TYPE_DIAGONAL: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_THREE_WAY: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_THREE_WAY_STRADDLE_VS_CALL: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_THREE_WAY_STRADDLE_VS_PUT: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_BOX: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_XMAS_TREE: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_CONDITIONAL_CURVE: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_DOUBLE: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_HORIZONTAL_STRADDLE: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_IRON_CONDOR: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_RATIO_1X2: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_RATIO_1X3: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_RATIO_2X3: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_RISK_REVERSAL: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_STRADDLE_STRIP: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_STRADDLE: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_STRANGLE: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_VERTICAL: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_JELLY_ROLL: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_IRON_BUTTERFLY: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_GUTS: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_GENERIC: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_DIAGONAL: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_BUTTERFLY: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_CONDOR: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_HORIZONTAL: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_STRIP: _ClassVar[StrategyType]
    STRATEGY_TYPE_COVERED_OPTION: _ClassVar[StrategyType]
    STRATEGY_TYPE_BALANCED_STRIP: _ClassVar[StrategyType]
    STRATEGY_TYPE_UNBALANCED_STRIP: _ClassVar[StrategyType]
    STRATEGY_TYPE_INTER_CONTRACT_STRIP: _ClassVar[StrategyType]
    STRATEGY_TYPE_INVOICE_SWAP: _ClassVar[StrategyType]
    STRATEGY_TYPE_INTEREST_RATE_SWAP: _ClassVar[StrategyType]
    STRATEGY_TYPE_AVERAGE_PRICE_STRIP: _ClassVar[StrategyType]
    STRATEGY_TYPE_TREASURY_TAIL: _ClassVar[StrategyType]
    STRATEGY_TYPE_AVERAGE_PRICE_STRIP_SPREAD: _ClassVar[StrategyType]
    STRATEGY_TYPE_INVOICE_SWAP_CALENDAR: _ClassVar[StrategyType]
    STRATEGY_TYPE_INVOICE_SWAP_SWITCHES: _ClassVar[StrategyType]
    STRATEGY_TYPE_VOLATILITY_QUOTED_OPTION: _ClassVar[StrategyType]
    STRATEGY_TYPE_FX_SPOT: _ClassVar[StrategyType]
    STRATEGY_TYPE_AVERAGE_PRICE_BUNDLE: _ClassVar[StrategyType]
    STRATEGY_TYPE_FIXED_PRICE_RATIO_SPREAD: _ClassVar[StrategyType]
    STRATEGY_TYPE_SA_CBOT_SOYBEAN_SPREAD: _ClassVar[StrategyType]
    STRATEGY_TYPE_BALANCED_STRIP_BUTTERFLY: _ClassVar[StrategyType]
    STRATEGY_TYPE_ANY: _ClassVar[StrategyType]

class TimeType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TIME_TYPE_NORMAL: _ClassVar[TimeType]
    TIME_TYPE_IMMEDIATE_AND_CANCEL: _ClassVar[TimeType]
    TIME_TYPE_GOOD_TILL_CANCELLED: _ClassVar[TimeType]
    TIME_TYPE_COMPLETE_VOLUME: _ClassVar[TimeType]
    TIME_TYPE_MARKET_ON_OPEN: _ClassVar[TimeType]
    TIME_TYPE_MARKET_ON_CLOSE: _ClassVar[TimeType]
    TIME_TYPE_UNDEFINED: _ClassVar[TimeType]

class UDSStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UDS_STATUS_UNKNOWN: _ClassVar[UDSStatus]
    UDS_STATUS_Success: _ClassVar[UDSStatus]
    UDS_STATUS_FAILED: _ClassVar[UDSStatus]
    UDS_STATUS_ALREADY_EXISTS: _ClassVar[UDSStatus]

class UPLMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UPL_MODE_NONE: _ClassVar[UPLMode]
    UPL_MODE_AVERAGE: _ClassVar[UPLMode]
ACCOUNT_CODE_UNDEFINED: AccountCode
ACCOUNT_CODE_NONE: AccountCode
ACCOUNT_CODE_GIVE_UP_TO_SINGLE_FIRM: AccountCode
ACCOUNT_CODE_GIVE_UP_TO_MULTIPLE_FIRMS: AccountCode
ACCOUNT_CODE_MARKET_MAKER: AccountCode
ACCOUNT_CODE_AGENT_A1: AccountCode
ACCOUNT_CODE_GIVE_UP_G1: AccountCode
ACCOUNT_CODE_GIVE_UP_G2: AccountCode
ACCOUNT_CODE_MARKET_MAKER_M1: AccountCode
ACCOUNT_CODE_MARKET_MAKER_M2: AccountCode
ACCOUNT_CODE_PROPRIETARY_P1: AccountCode
ACCOUNT_CODE_PROPRIETARY_P2: AccountCode
ACCOUNT_CODE_SEGREGATED: AccountCode
ACCOUNT_CODE_NON_SEGREGATED: AccountCode
ACCOUNT_CODE_HOUSE: AccountCode
ACCOUNT_CODE_LOCAL: AccountCode
ACCOUNT_CODE_DEFAULT: AccountCode
ACCOUNT_CODE_ALLOCATED: AccountCode
ACCOUNT_CODE_SPLIT: AccountCode
ACCOUNT_CODE_UNASSIGNED: AccountCode
ACCOUNT_CODE_GAS_ASSOCIATE: AccountCode
ACCOUNT_CODE_CUSTOMER: AccountCode
ACCOUNT_CODE_US_CUSTOMER_FUTURES: AccountCode
ACCOUNT_CODE_US_CUSTOMER_SWAPS: AccountCode
ACCOUNT_CODE_US_CUSTOMER_FBOT: AccountCode
ACCOUNT_CODE_FIRM: AccountCode
ACCOUNT_CODE_MEMBER_CUSTOMER_SEGREGATED_ACCOUNT: AccountCode
ACCOUNT_CODE_MEMBER_HOUSE_ACCOUNT: AccountCode
ACCOUNT_CODE_MEMBER_SIPC_PROTECTED_ACCOUNT: AccountCode
ACCOUNT_CODE_USER_PROXY_FOR_TRADER_CUSTOMER_SEGREGATED_ACCOUNT: AccountCode
ACCOUNT_CODE_USER_PROXY_FOR_TRADER_HOUSE_ACCOUNT: AccountCode
ACCOUNT_CODE_USER_PROXY_FOR_TRADER_SIPC_PROTECTED_ACCOUNT: AccountCode
ACCOUNT_CODE_NON_MEMBER_HOUSE_ACCOUNT: AccountCode
ACCOUNT_CODE_NON_MEMBER_SIPC_PROTECTED_ACCOUNT: AccountCode
ACCOUNT_CODE_CUSTOMER_FLOOR_BROKER_WORKSTATION: AccountCode
ACCOUNT_CODE_AGENT_A2: AccountCode
ACCOUNT_CODE_AGENT_A3: AccountCode
ACCOUNT_CODE_AGENT_A4: AccountCode
ACCOUNT_CODE_AGENT_A5: AccountCode
ACCOUNT_CODE_AGENT_A6: AccountCode
ACCOUNT_CODE_AGENT_A7: AccountCode
ACCOUNT_CODE_AGENT_A8: AccountCode
ACCOUNT_CODE_AGENT_A9: AccountCode
ACCOUNT_CODE_CLIENT_SEGREGATED_E: AccountCode
ACCOUNT_CODE_CLIENT_SEGREGATED_K: AccountCode
ACCOUNT_CODE_CLIENT_SEGREGATED_R: AccountCode
ACCOUNT_CODE_SEGREGATED_T: AccountCode
ACCOUNT_CODE_INDIRECT_CLEARING_GROSS_ISOC_CASS: AccountCode
ACCOUNT_CODE_INDIRECT_CLEARING_GROSS_ISOC_TTFCA: AccountCode
ACCOUNT_CODE_INDIRECT_CLEARING_GROSS_CASS: AccountCode
ACCOUNT_CODE_INDIRECT_CLEARING_GROSS_TTFCA: AccountCode
ACCOUNT_CODE_INDIRECT_CLEARING_NET_CASS: AccountCode
ACCOUNT_CODE_INDIRECT_CLEARING_NETS_TTFCA: AccountCode
ACCOUNT_CODE_RO: AccountCode
ACCOUNT_CODE_LIQUIDITY_PROVIDER: AccountCode
ACCOUNT_CODE_RELATED_PARTY: AccountCode
ACCOUNT_CODE_STRUCTURED_PRODUCT_MARKET_MAKER: AccountCode
ACCOUNT_CODE_OMEGA_CLIENT: AccountCode
ACCOUNT_CODE_CERES_CLIENT: AccountCode
ACCOUNT_ENABLED_DISABLED: AccountEnabled
ACCOUNT_ENABLED_ENABLED: AccountEnabled
ACCOUNT_ENABLED_BACK_OFFICE_ONLY: AccountEnabled
ACCOUNT_ENABLED_PIT_TRADE_ONLY: AccountEnabled
ACCOUNT_MARGIN_TYPE_SPEC: AccountMarginType
ACCOUNT_MARGIN_TYPE_HEDGE_OR_MEMBER: AccountMarginType
ACCOUNT_MARGIN_TYPE_FIRM_OR_ACCOUNT: AccountMarginType
ACCOUNT_MODE_BY_MARKET: AccountMode
ACCOUNT_MODE_BY_CONTRACT: AccountMode
ACCOUNT_MODE_BY_ACCOUNT: AccountMode
ACCOUNT_MODE_BY_ACCOUNT_DAY: AccountMode
ACCOUNT_MODE_BY_PORTFOLIO: AccountMode
ACCOUNT_MODE_T500: AccountMode
ACCOUNT_MODE_T500_DEMO: AccountMode
ACCOUNT_MODE_AUTO_LIQ: AccountMode
ACCOUNT_MODE_UNKNOWN: AccountMode
ACCOUNT_STATUS_UNKNOWN: AccountStatus
ACCOUNT_STATUS_BLOCKED: AccountStatus
ACCOUNT_STATUS_OK: AccountStatus
ACCOUNT_STATUS_UNRESTRICTED: AccountStatus
ACCOUNT_STATUS_DELETED: AccountStatus
ACCOUNT_STATUS_DISABLED: AccountStatus
ACCOUNT_STATUS_OUTSIDE_ACTIVE_TIME: AccountStatus
ACCOUNT_STATUS_NOT_ACCESSIBLE: AccountStatus
ACCOUNT_STATUS_PIT_TRADE_ONLY: AccountStatus
ACCOUNT_STATUS_LOSS_LIMIT_EXCEEDED: AccountStatus
ACCOUNT_SUBSCRIBE_TYPE_NONE: AccountSubscribeType
ACCOUNT_SUBSCRIBE_TYPE_ALL_UPDATES: AccountSubscribeType
ACTIVATION_TYPE_IMMEDIATE: ActivationType
ACTIVATION_TYPE_HOLD: ActivationType
ACTIVATION_TYPE_TRIGGERED: ActivationType
ACTIVATION_TYPE_AT_OR_AFTER_TIME: ActivationType
ACTIVATION_TYPE_AT_OR_ABOVE_TRADE_TICKS: ActivationType
ACTIVATION_TYPE_AT_OR_BELOW_TRADE_TICKS: ActivationType
ACTIVATION_TYPE_ON_MARKET_MODE: ActivationType
ACTIVATION_TYPE_TRIGGERED_AT_OR_AFTER_TIME: ActivationType
ACTIVATION_TYPE_TRIGGERED_AT_OR_ABOVE_TRADE_TICKS: ActivationType
ACTIVATION_TYPE_TRIGGERED_AT_OR_BELOW_TRADE_TICKS: ActivationType
ACTIVATION_TYPE_TRIGGERED_ON_MARKET_MODE: ActivationType
ACTIVATION_TYPE_QUEUE: ActivationType
ACTIVATION_TYPE_TRIGGERED_QUEUE: ActivationType
ACTIVATION_TYPE_PIT_FILLED_QUEUE: ActivationType
ACTIVATION_TYPE_AT_OR_ABOVE_TICKS: ActivationType
ACTIVATION_TYPE_AT_OR_BELOW_TICKS: ActivationType
ACTIVATION_TYPE_TRIGGERED_AT_OR_ABOVE_TICKS: ActivationType
ACTIVATION_TYPE_TRIGGERED_AT_OR_BELOW_TICKS: ActivationType
ACTIVATION_TYPE_MARKET_ON_CLOSE: ActivationType
ACTIVATION_TYPE_UNDEFINED: ActivationType
APPLICATION_TYPE_MANUAL: ApplicationType
APPLICATION_TYPE_ATS: ApplicationType
APPLICATION_TYPE_PROFESSIONAL: ApplicationType
APPLICATION_TYPE_NON_PROFESSIONAL: ApplicationType
APPLICATION_TYPE_TRADE_DESK: ApplicationType
APPLICATION_TYPE_WALLBOARD: ApplicationType
APPLICATION_TYPE_SUB_VENDOR: ApplicationType
APPLICATION_TYPE_ATS_DISPLAY: ApplicationType
APPLICATION_TYPE_FINANCIAL_PROFESSIONAL: ApplicationType
AVG_PRICE_INDICATOR_TYPE_NONE: AvgPriceIndicatorType
AVG_PRICE_INDICATOR_TYPE_AVERAGE_PRICE_GROUP: AvgPriceIndicatorType
AVG_PRICE_INDICATOR_TYPE_NOTIONAL_VALUE_AVERAGE: AvgPriceIndicatorType
BID_OFFER_UNDEFINED: BidOffer
BID_OFFER_BID: BidOffer
BID_OFFER_OFFER: BidOffer
BILLING_FEE_UNDEFINED: BillingFee
BILLING_FEE_CUSTOMER: BillingFee
BILLING_FEE_EQUITY_MEMBER: BillingFee
BILLING_FEE_FIRM_106HJ: BillingFee
BILLING_FEE_LESSEE_106F_EMPLOYEE: BillingFee
BILLING_FEE_CBOE_MEMBER: BillingFee
BUY_SELL_UNDEFINED: BuySell
BUY_SELL_BUY: BuySell
BUY_SELL_SELL: BuySell
CTI_UNDEFINED: CTI
CTI_MEMBER: CTI
CTI_PROPRIETARY: CTI
CTI_BROKER_MEMBER: CTI
CTI_BROKER_CUSTOMER: CTI
CTI_NONE: CTI
CLEARING_TRADE_PRICE_TYPE_EXECUTION_PRICE: ClearingTradePriceType
CLEARING_TRADE_PRICE_TYPE_ALTERNATE_CLEARING_PRICE: ClearingTradePriceType
CONTRACT_RISK_STATUS_NONE: ContractRiskStatus
CONTRACT_RISK_STATUS_DAY_TRADING: ContractRiskStatus
CONTRACT_RISK_STATUS_ALERTING: ContractRiskStatus
CONTRACT_RISK_STATUS_LIQUIDATION: ContractRiskStatus
CONTRACT_RISK_STATUS_LIQUIDATION_WAITING: ContractRiskStatus
CONTRACT_RISK_STATUS_BLOCK_EXPIRATION_LIQUIDATION: ContractRiskStatus
CONTRACT_RISK_STATUS_PRICE_LIMIT_LIQUIDATION: ContractRiskStatus
CONTRACT_TYPE_UNKNOWN: ContractType
CONTRACT_TYPE_OPTION: ContractType
CONTRACT_TYPE_OPTION_CALL: ContractType
CONTRACT_TYPE_OPTION_PUT: ContractType
CONTRACT_TYPE_STOCK: ContractType
CONTRACT_TYPE_FUTURE: ContractType
CONTRACT_TYPE_INDEX: ContractType
CONTRACT_TYPE_SYNTHETIC: ContractType
CONTRACT_TYPE_BINARY_OPTION: ContractType
CONTRACT_TYPE_UDS: ContractType
CONTRACT_TYPE_FX_SPOT: ContractType
CONTRACT_TYPE_ANY: ContractType
CUST_ORDER_HANDLING_INST_TYPE_NONE: CustOrderHandlingInstType
CUST_ORDER_HANDLING_INST_TYPE_DESK: CustOrderHandlingInstType
CUST_ORDER_HANDLING_INST_TYPE_ELECTRONIC: CustOrderHandlingInstType
CUST_ORDER_HANDLING_INST_TYPE_VENDOR_PROVIDED_PLATFORM: CustOrderHandlingInstType
CUST_ORDER_HANDLING_INST_TYPE_SPONSORED_ACCESS_VIA_API_OR_FIX: CustOrderHandlingInstType
CUST_ORDER_HANDLING_INST_TYPE_PREMIUM_ALGO_TRADING_PROVIDER: CustOrderHandlingInstType
CUST_ORDER_HANDLING_INST_TYPE_OTHER: CustOrderHandlingInstType
DEPTH_BUFFER_NO_SUBSCRIPTION: DepthBuffer
DEPTH_BUFFER_SLOW_TRADE: DepthBuffer
DEPTH_BUFFER_SMART_TRADE: DepthBuffer
DEPTH_BUFFER_SLOW_SMART: DepthBuffer
DEPTH_BUFFER_SMART: DepthBuffer
DEPTH_BUFFER_FAST_SMART: DepthBuffer
DEPTH_BUFFER_ALL: DepthBuffer
DEPTH_BUFFER_FAST_TRADE: DepthBuffer
DEPTH_BUFFER_TRADE_ONLY: DepthBuffer
DEPTH_LEVELS_UNDEFINED: DepthLevels
DEPTH_LEVELS_BEST_ONLY: DepthLevels
DEPTH_LEVELS_NORMAL: DepthLevels
DEPTH_LEVELS_ALL: DepthLevels
LOGIN_RESULT_SUCCESS: LoginResult
LOGIN_RESULT_FAILED: LoginResult
LOGIN_RESULT_APPLICATION_NOT_VALID: LoginResult
LOGIN_RESULT_FIRM_NOT_ALLOWED: LoginResult
LOGIN_RESULT_USER_NOT_ALLOWED: LoginResult
LOGIN_RESULT_INCORRECT_VERSION: LoginResult
LOGIN_RESULT_LOGGED_IN_ELSEWHERE: LoginResult
LOGIN_RESULT_LOGOUT: LoginResult
LOGIN_RESULT_UNEXPECTED_DISCONNECT: LoginResult
LOGIN_RESULT_UNAUTHORIZED: LoginResult
LOGIN_RESULT_UNEXPECTED_ERROR: LoginResult
LOGIN_RESULT_ROLE_NOT_SUPPORTED: LoginResult
LOGIN_RESULT_API_MESSAGE_BACKLOG: LoginResult
LOGIN_RESULT_SERVER_MESSAGE_BACKLOG: LoginResult
LOGIN_RESULT_PASSWORD_EXPIRED: LoginResult
LOGIN_RESULT_PASSWORD_CHANGE_FAILED: LoginResult
LOGIN_RESULT_PASSWORD_ALREADY_USED: LoginResult
LOGIN_RESULT_LOCKED_OUT: LoginResult
LOGIN_RESULT_ADDITIONAL_USERS_NOT_ALLOWED: LoginResult
LOGIN_RESULT_MARKET_DATA_NOT_SETUP: LoginResult
LOGIN_RESULT_TWO_FACTOR_NOT_SETUP: LoginResult
LOGIN_RESULT_TWO_FACTOR_FAILED: LoginResult
LOGIN_RESULT_FIX_SESSION_ERROR: LoginResult
LOGIN_RESULT_TWO_FACTOR_REQUIRED: LoginResult
LOGIN_RESULT_USER_EXISTS: LoginResult
LOGIN_RESULT_UNKNOWN: LoginResult
MARKET_DATA_TYPE_NONE: MarketDataType
MARKET_DATA_TYPE_TOB: MarketDataType
MARKET_DATA_TYPE_DEPTH: MarketDataType
MARKET_DATA_TYPE_E_MINI: MarketDataType
MARKET_DATA_TYPE_DELAYED: MarketDataType
MARKET_DATA_TYPE_NOT_SET: MarketDataType
MARKET_FLAGS2_UNDEFINED: MarketFlags2
MARKET_FLAGS2_FAST: MarketFlags2
MARKET_FLAGS2_PRICE_LIMITS_ENABLED: MarketFlags2
MARKET_FLAGS2_NO_CANCEL: MarketFlags2
MARKET_FLAGS2_IMPLIED_OFF: MarketFlags2
MARKET_FLAGS2_NEW_PRICE_INDICATION: MarketFlags2
MARKET_FLAGS2_NOT_AVAILABLE_FOR_TRADING: MarketFlags2
MARKET_FLAGS2_POST_CLOSE: MarketFlags2
MARKET_FLAGS2_GROUP_SCHEDULE: MarketFlags2
MARKET_FLAGS2_INSTRUMENT_ACTIVATION: MarketFlags2
MARKET_FLAGS2_INSTRUMENT_EXPIRATION: MarketFlags2
MARKET_FLAGS2_MARKET_EVENT: MarketFlags2
MARKET_FLAGS2_RECOVERY_IN_PROCESS: MarketFlags2
MARKET_FLAGS2_SURVEILLANCE_INTERVENTION: MarketFlags2
MARKET_MODE_UNDEFINED: MarketMode
MARKET_MODE_PRE_OPEN: MarketMode
MARKET_MODE_OPEN: MarketMode
MARKET_MODE_RESTRICTED_OPEN: MarketMode
MARKET_MODE_PRE_CLOSED: MarketMode
MARKET_MODE_CLOSED: MarketMode
MARKET_MODE_SUSPENDED: MarketMode
MARKET_MODE_HALTED: MarketMode
MARKET_MODE_FAILED: MarketMode
MARKET_MODE_PRE_CROSS: MarketMode
MARKET_MODE_CROSS: MarketMode
MARKET_MODE_EXPIRED: MarketMode
MARKET_MODE_REJECTED: MarketMode
MARKET_MODE_UNAVAILABLE: MarketMode
MARKET_MODE_NO_PERMISSION: MarketMode
MASTER_TYPE_MASTER: MasterType
MASTER_TYPE_CHILD: MasterType
OPEN_CLOSE_OPEN: OpenClose
OPEN_CLOSE_CLOSE: OpenClose
OPEN_CLOSE_UNDEFINED: OpenClose
ORDER_CHANGE_NONE: OrderChange
ORDER_CHANGE_FAILED: OrderChange
ORDER_CHANGE_SUBMISSION_RISK_SUCCESS: OrderChange
ORDER_CHANGE_SUBMISSION_RISK_REJECTED: OrderChange
ORDER_CHANGE_SUBMISSION_SENT: OrderChange
ORDER_CHANGE_SUBMISSION_FAILED: OrderChange
ORDER_CHANGE_SUBMISSION_SUCCESS: OrderChange
ORDER_CHANGE_SUBMISSION_REJECTED: OrderChange
ORDER_CHANGE_REVISION_RISK_SUCCESS: OrderChange
ORDER_CHANGE_REVISION_RISK_FAILED: OrderChange
ORDER_CHANGE_REVISION_SENT: OrderChange
ORDER_CHANGE_REVISION_FAILED: OrderChange
ORDER_CHANGE_REVISION_SUCCESS: OrderChange
ORDER_CHANGE_REVISION_REJECTED: OrderChange
ORDER_CHANGE_PULL_RISK_SUCCESS: OrderChange
ORDER_CHANGE_PULL_RISK_FAILED: OrderChange
ORDER_CHANGE_PULL_SENT: OrderChange
ORDER_CHANGE_PULL_FAILED: OrderChange
ORDER_CHANGE_PULL_SUCCESS: OrderChange
ORDER_CHANGE_PULL_REJECTED: OrderChange
ORDER_CHANGE_TRADE: OrderChange
ORDER_CHANGE_TRADE_COMPLETED: OrderChange
ORDER_CHANGE_TRADE_BUSTED: OrderChange
ORDER_CHANGE_HANDOVER: OrderChange
ORDER_CHANGE_STATUS_REQUEST_RISK_SUCCESS: OrderChange
ORDER_CHANGE_STATUS_REQUEST_RISK_FAILED: OrderChange
ORDER_CHANGE_STATUS_REQUEST_SENT: OrderChange
ORDER_CHANGE_STATUS_REQUEST_FAILED: OrderChange
ORDER_CHANGE_STATUS_REQUEST_SUCCESS: OrderChange
ORDER_CHANGE_STATUS_REQUEST_REJECTED: OrderChange
ORDER_CHANGE_ROLLOVER: OrderChange
ORDER_CHANGE_TAG_SUCCESS: OrderChange
ORDER_CHANGE_TAG_FAILED: OrderChange
ORDER_CHANGE_ADD_PIT_TRADE_SUCCESS: OrderChange
ORDER_CHANGE_ADD_PIT_TRADE_FAILED: OrderChange
ORDER_CHANGE_ADD_PIT_TRADE_REJECTED: OrderChange
ORDER_LINK_NONE: OrderLink
ORDER_LINK_OCO: OrderLink
ORDER_LINK_AUTO_OCO: OrderLink
ORDER_LINK_SPARK: OrderLink
ORDER_LINK_CLIENT_SYNTHETIC: OrderLink
ORDER_LINK_SPARK2: OrderLink
ORDER_LINK_CHAIN2: OrderLink
ORDER_LINK_AUTO_OCO_P: OrderLink
ORDER_LINK_AUTO_OCO_M: OrderLink
ORDER_LINK_AUTO_OCO_MP: OrderLink
ORDER_SOURCE_UNKNOWN: OrderSource
ORDER_SOURCE_API: OrderSource
ORDER_SOURCE_WEB_TRADER: OrderSource
ORDER_SOURCE_MOBILE: OrderSource
ORDER_SOURCE_DATA_IMPORT: OrderSource
ORDER_SOURCE_ACCOUNT_HANDLER: OrderSource
ORDER_SOURCE_STATIC_LADDER: OrderSource
ORDER_SOURCE_SCROLLING_LADDER: OrderSource
ORDER_SOURCE_CENTERED_LADDER: OrderSource
ORDER_SOURCE_AUTO_RECENTERED_LADDER: OrderSource
ORDER_SOURCE_DEPTH: OrderSource
ORDER_SOURCE_QUOTEBOARD: OrderSource
ORDER_SOURCE_OPTIONBOARD: OrderSource
ORDER_SOURCE_ADV_OPTIONBOARD: OrderSource
ORDER_SOURCE_ORDERBOOK: OrderSource
ORDER_SOURCE_SPREAD_MATRIX: OrderSource
ORDER_SOURCE_FIX_API: OrderSource
ORDER_SOURCE_CLIENT_SPREADER: OrderSource
ORDER_SOURCE_ANTS_OPTION_SHEET: OrderSource
ORDER_SOURCE_ANTS_OPTION_STRATEGY_SOLVER: OrderSource
ORDER_SOURCE_JAVA_API: OrderSource
ORDER_SOURCE_ANTS_OPTION_STRATEGIES_WINDOW: OrderSource
ORDER_SOURCE_CHART: OrderSource
ORDER_SOURCE_STP: OrderSource
ORDER_SOURCE_T4_ANDROID_SCROLLING_LADDER: OrderSource
ORDER_SOURCE_T4_ANDROID_CENTERED_LADDER: OrderSource
ORDER_SOURCE_T4_ANDROID_AUTO_RECENTERED_LADDER: OrderSource
ORDER_SOURCE_T4_ANDROID_DEPTH: OrderSource
ORDER_SOURCE_T4_ANDROID_QUOTEBOARD: OrderSource
ORDER_SOURCE_T4_ANDROID_POSITIONS: OrderSource
ORDER_SOURCE_T4_ANDROID_ORDERS: OrderSource
ORDER_SOURCE_T4_ANDROID_CHART: OrderSource
ORDER_SOURCE_MQ: OrderSource
ORDER_SOURCE_IOS_API: OrderSource
ORDER_SOURCE_T4_IOS_SCROLLING_LADDER: OrderSource
ORDER_SOURCE_T4_IOS_CENTERED_LADDER: OrderSource
ORDER_SOURCE_T4_IOS_AUTO_RECENTERED_LADDER: OrderSource
ORDER_SOURCE_T4_IOS_DEPTH: OrderSource
ORDER_SOURCE_T4_IOS_QUOTEBOARD: OrderSource
ORDER_SOURCE_T4_IOS_POSITIONS: OrderSource
ORDER_SOURCE_T4_IOS_ORDERS: OrderSource
ORDER_SOURCE_T4_IOS_CHART: OrderSource
ORDER_SOURCE_KEYBOARD: OrderSource
ORDER_SOURCE_HTTP_API: OrderSource
ORDER_SOURCE_METHOD_UNKNOWN: OrderSourceMethod
ORDER_SOURCE_METHOD_CLICK: OrderSourceMethod
ORDER_SOURCE_METHOD_PROMPT: OrderSourceMethod
ORDER_SOURCE_METHOD_PRICE_CONFIRM: OrderSourceMethod
ORDER_SOURCE_METHOD_ORDER_TICKET: OrderSourceMethod
ORDER_SOURCE_METHOD_KEY_ENTRY: OrderSourceMethod
ORDER_SOURCE_METHOD_ORDER_LOAD_BAR: OrderSourceMethod
ORDER_SOURCE_METHOD_CONTRACT_TICKET: OrderSourceMethod
ORDER_SOURCE_METHOD_QUEUED_ORDER_TICKET: OrderSourceMethod
ORDER_SOURCE_METHOD_CLEARING_HOUSE: OrderSourceMethod
ORDER_SOURCE_METHOD_ELECTRONIC: OrderSourceMethod
ORDER_SOURCE_METHOD_OFF_FACILITY_SWAP: OrderSourceMethod
ORDER_SOURCE_METHOD_PIT: OrderSourceMethod
ORDER_SOURCE_METHOD_REGISTERED_MARKET: OrderSourceMethod
ORDER_SOURCE_METHOD_EX_PIT: OrderSourceMethod
ORDER_SOURCE_METHOD_ACCOUNT_SERVICE_AUTO_LIQUIDATION: OrderSourceMethod
ORDER_STATUS_NONE: OrderStatus
ORDER_STATUS_WORKING: OrderStatus
ORDER_STATUS_FINISHED: OrderStatus
ORDER_STATUS_REJECTED: OrderStatus
ORDER_STATUS_HELD: OrderStatus
ORDER_STATUS_NO_CHANGE: OrderStatus
ORIGIN_UNDEFINED: Origin
ORIGIN_CUSTOMER: Origin
ORIGIN_NON_CUSTOMER: Origin
ORIGIN_OTHER_MEMBERS: Origin
ORIGIN_FLOOR_BROKERS: Origin
ORIGIN_POSTING_NONE: Origin
ORIGIN_POSTING_MANUAL: Origin
ORIGIN_POSTING_AUTOMATIC: Origin
ORIGIN_POSTING_GIVE_UP: Origin
ORIGIN_POSTING_AUTO_AND_ACT_AUTHORISATION: Origin
ORIGIN_POSTING_MANUAL_AND_ACT_AUTHORISATION: Origin
ORIGIN_PRINCIPAL: Origin
ORIGIN_MARKET_MAKER: Origin
PRICE_FORMAT_DECIMAL: PriceFormat
PRICE_FORMAT_REAL: PriceFormat
PRICE_FORMAT_CLEARING_DECIMAL: PriceFormat
PRICE_TYPE_MARKET: PriceType
PRICE_TYPE_LIMIT: PriceType
PRICE_TYPE_STOP_MARKET: PriceType
PRICE_TYPE_STOP_LIMIT: PriceType
PRICE_TYPE_OVERNIGHT_POSITION: PriceType
PRICE_TYPE_PIT: PriceType
PRICE_TYPE_MARKET_IF_TOUCHED: PriceType
PRICE_TYPE_STOP_SAME_LIMIT: PriceType
PRICE_TYPE_JOIN: PriceType
PRICE_TYPE_HIT: PriceType
PRICE_TYPE_BACK_OFFICE_POSITION: PriceType
PRICE_TYPE_SYNTHETIC_MARKET: PriceType
PRICE_TYPE_SYNTHETIC_LIMIT: PriceType
PRICE_TYPE_SYNTHETIC_STOP_MARKET: PriceType
PRICE_TYPE_SYNTHETIC_STOP_LIMIT: PriceType
PRICE_TYPE_RFQ: PriceType
PRICE_TYPE_FLATTEN: PriceType
PRICE_TYPE_IMPORT: PriceType
PRICE_TYPE_OPTIONS_SETTLEMENT: PriceType
PRICE_TYPE_UNDEFINED: PriceType
PRIMARY_USER_TYPE_PRIMARY: PrimaryUserType
PRIMARY_USER_TYPE_SECONDARY: PrimaryUserType
PRIMARY_USER_TYPE_SECONDARY_APPLIED: PrimaryUserType
PRIMARY_USER_TYPE_SECONDARY_NOT_APPLIED: PrimaryUserType
RESPONSE_PENDING_NONE: ResponsePending
RESPONSE_PENDING_SUBMISSION: ResponsePending
RESPONSE_PENDING_REVISION: ResponsePending
RESPONSE_PENDING_PULL: ResponsePending
RESPONSE_PENDING_STATUS: ResponsePending
RESPONSE_PENDING_NO_CHANGE: ResponsePending
STRATEGY_TYPE_NONE: StrategyType
STRATEGY_TYPE_CALENDAR_SPREAD: StrategyType
STRATEGY_TYPE_RT_CALENDAR_SPREAD: StrategyType
STRATEGY_TYPE_INTER_CONTRACT_SPREAD: StrategyType
STRATEGY_TYPE_BUTTERFLY: StrategyType
STRATEGY_TYPE_CONDOR: StrategyType
STRATEGY_TYPE_DOUBLE_BUTTERFLY: StrategyType
STRATEGY_TYPE_HORIZONTAL: StrategyType
STRATEGY_TYPE_BUNDLE: StrategyType
STRATEGY_TYPE_MONTH_VS_PACK: StrategyType
STRATEGY_TYPE_PACK: StrategyType
STRATEGY_TYPE_PACK_SPREAD: StrategyType
STRATEGY_TYPE_PACK_BUTTERFLY: StrategyType
STRATEGY_TYPE_BUNDLE_SPREAD: StrategyType
STRATEGY_TYPE_STRIP: StrategyType
STRATEGY_TYPE_CRACK: StrategyType
STRATEGY_TYPE_TREASURY_SPREAD: StrategyType
STRATEGY_TYPE_CRUSH: StrategyType
STRATEGY_TYPE_THREE_WAY: StrategyType
STRATEGY_TYPE_THREE_WAY_STRADDLE_VS_CALL: StrategyType
STRATEGY_TYPE_THREE_WAY_STRADDLE_VS_PUT: StrategyType
STRATEGY_TYPE_BOX: StrategyType
STRATEGY_TYPE_XMAS_TREE: StrategyType
STRATEGY_TYPE_CONDITIONAL_CURVE: StrategyType
STRATEGY_TYPE_DOUBLE: StrategyType
STRATEGY_TYPE_HORIZONTAL_STRADDLE: StrategyType
STRATEGY_TYPE_IRON_CONDOR: StrategyType
STRATEGY_TYPE_RATIO_1X2: StrategyType
STRATEGY_TYPE_RATIO_1X3: StrategyType
STRATEGY_TYPE_RATIO_2X3: StrategyType
STRATEGY_TYPE_RISK_REVERSAL: StrategyType
STRATEGY_TYPE_STRADDLE_STRIP: StrategyType
STRATEGY_TYPE_STRADDLE: StrategyType
STRATEGY_TYPE_STRANGLE: StrategyType
STRATEGY_TYPE_VERTICAL: StrategyType
STRATEGY_TYPE_JELLY_ROLL: StrategyType
STRATEGY_TYPE_IRON_BUTTERFLY: StrategyType
STRATEGY_TYPE_GUTS: StrategyType
STRATEGY_TYPE_GENERIC: StrategyType
STRATEGY_TYPE_DIAGONAL: StrategyType
STRATEGY_TYPE_COVERED_THREE_WAY: StrategyType
STRATEGY_TYPE_COVERED_THREE_WAY_STRADDLE_VS_CALL: StrategyType
STRATEGY_TYPE_COVERED_THREE_WAY_STRADDLE_VS_PUT: StrategyType
STRATEGY_TYPE_COVERED_BOX: StrategyType
STRATEGY_TYPE_COVERED_XMAS_TREE: StrategyType
STRATEGY_TYPE_COVERED_CONDITIONAL_CURVE: StrategyType
STRATEGY_TYPE_COVERED_DOUBLE: StrategyType
STRATEGY_TYPE_COVERED_HORIZONTAL_STRADDLE: StrategyType
STRATEGY_TYPE_COVERED_IRON_CONDOR: StrategyType
STRATEGY_TYPE_COVERED_RATIO_1X2: StrategyType
STRATEGY_TYPE_COVERED_RATIO_1X3: StrategyType
STRATEGY_TYPE_COVERED_RATIO_2X3: StrategyType
STRATEGY_TYPE_COVERED_RISK_REVERSAL: StrategyType
STRATEGY_TYPE_COVERED_STRADDLE_STRIP: StrategyType
STRATEGY_TYPE_COVERED_STRADDLE: StrategyType
STRATEGY_TYPE_COVERED_STRANGLE: StrategyType
STRATEGY_TYPE_COVERED_VERTICAL: StrategyType
STRATEGY_TYPE_COVERED_JELLY_ROLL: StrategyType
STRATEGY_TYPE_COVERED_IRON_BUTTERFLY: StrategyType
STRATEGY_TYPE_COVERED_GUTS: StrategyType
STRATEGY_TYPE_COVERED_GENERIC: StrategyType
STRATEGY_TYPE_COVERED_DIAGONAL: StrategyType
STRATEGY_TYPE_COVERED_BUTTERFLY: StrategyType
STRATEGY_TYPE_COVERED_CONDOR: StrategyType
STRATEGY_TYPE_COVERED_HORIZONTAL: StrategyType
STRATEGY_TYPE_COVERED_STRIP: StrategyType
STRATEGY_TYPE_COVERED_OPTION: StrategyType
STRATEGY_TYPE_BALANCED_STRIP: StrategyType
STRATEGY_TYPE_UNBALANCED_STRIP: StrategyType
STRATEGY_TYPE_INTER_CONTRACT_STRIP: StrategyType
STRATEGY_TYPE_INVOICE_SWAP: StrategyType
STRATEGY_TYPE_INTEREST_RATE_SWAP: StrategyType
STRATEGY_TYPE_AVERAGE_PRICE_STRIP: StrategyType
STRATEGY_TYPE_TREASURY_TAIL: StrategyType
STRATEGY_TYPE_AVERAGE_PRICE_STRIP_SPREAD: StrategyType
STRATEGY_TYPE_INVOICE_SWAP_CALENDAR: StrategyType
STRATEGY_TYPE_INVOICE_SWAP_SWITCHES: StrategyType
STRATEGY_TYPE_VOLATILITY_QUOTED_OPTION: StrategyType
STRATEGY_TYPE_FX_SPOT: StrategyType
STRATEGY_TYPE_AVERAGE_PRICE_BUNDLE: StrategyType
STRATEGY_TYPE_FIXED_PRICE_RATIO_SPREAD: StrategyType
STRATEGY_TYPE_SA_CBOT_SOYBEAN_SPREAD: StrategyType
STRATEGY_TYPE_BALANCED_STRIP_BUTTERFLY: StrategyType
STRATEGY_TYPE_ANY: StrategyType
TIME_TYPE_NORMAL: TimeType
TIME_TYPE_IMMEDIATE_AND_CANCEL: TimeType
TIME_TYPE_GOOD_TILL_CANCELLED: TimeType
TIME_TYPE_COMPLETE_VOLUME: TimeType
TIME_TYPE_MARKET_ON_OPEN: TimeType
TIME_TYPE_MARKET_ON_CLOSE: TimeType
TIME_TYPE_UNDEFINED: TimeType
UDS_STATUS_UNKNOWN: UDSStatus
UDS_STATUS_Success: UDSStatus
UDS_STATUS_FAILED: UDSStatus
UDS_STATUS_ALREADY_EXISTS: UDSStatus
UPL_MODE_NONE: UPLMode
UPL_MODE_AVERAGE: UPLMode
