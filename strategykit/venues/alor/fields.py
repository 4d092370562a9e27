"""Names of payload fields in the three formats, as one table for both halves.

Each line is our own name, then the venue's in Simple, Slim and Heavy; ``-`` where a format lacks the field. Names with
``twin`` or ``legacy`` are second names and those of deprecated payloads: a format that has one is read both ways.
Source: ALOR protocol sheet, section 3 and, for securities, 5.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = [
    "BAR",
    "BOOK",
    "CURRENCY_POWER",
    "FILL",
    "ICEBERG",
    "INSTRUMENT",
    "LEGACY_STOP_ORDER",
    "LEVEL",
    "ORDER",
    "POSITION",
    "QUOTE",
    "RISK",
    "SECURITY",
    "SPECTRA_RISK",
    "STOP_ORDER",
    "SUMMARY",
    "TRADE",
    "Names",
]

Names = Mapping[str, Mapping[str, str]]
"""``{format: {our name: the venue's}}``, in the order in which the venue's own examples have them."""


def _names(table: str) -> Names:
    rows = [line.split() for line in table.strip().splitlines()]
    return {
        style: {row[0]: row[place] for row in rows if row[place] != "-"}
        for place, style in enumerate(("Simple", "Slim", "Heavy"), 1)
    }


BOOK: Final = _names("""
    snapshot    snapshot      -  -
    bids        bids          b  bids
    asks        asks          a  asks
    seconds     timestamp     -  -
    millis      ms_timestamp  t  msTimestamp
    existing    existing      h  existing
""")

LEVEL: Final = _names("""
    price   price   p  price
    volume  volume  v  volume
""")

BAR: Final = _names("""
    time    time    t  time
    close   close   c  close
    open    open    o  open
    high    high    h  high
    low     low     l  low
    volume  volume  v  volume
""")

QUOTE: Final = _names("""
    symbol          symbol                sym   symbol
    exchange        exchange              ex    exchange
    description     description           desc  description
    currency        -                     -     currency
    previous_close  prev_close_price      -     prevClosePrice
    last            last_price            c     lastPrice
    last_seconds    last_price_timestamp  tst   lastPriceTimestamp
    high            high_price            h     highPrice
    low             low_price             l     lowPrice
    accrued         accruedInt            acci  accruedInterest
    volume          volume                v     volume
    open_interest   open_interest         oi    openInterest
    ask             ask                   ask   ask
    bid             bid                   bid   bid
    ask_size        ask_vol               av    askVol
    bid_size        bid_vol               bv    bidVol
    book_millis     ob_ms_timestamp       tso   obMsTimestamp
    open            open_price            o     openPrice
    yield           yield                 y     yield
    lot             lotsize               lot   lotSize
    lot_value       lotvalue              lotv  lotValue
    face_value      facevalue             fv    faceValue
    type            type                  t     type
    total_bid_size  total_bid_vol         tbv   totalBidVol
    total_ask_size  total_ask_vol         tav   totalAskVol
    accrued_twin    accrued_interest      -     -
    change          change                -     change
    change_percent  change_percent        -     changePercent
    low_twin        -                     le    -
""")

TRADE: Final = _names("""
    id        id         id   id
    orderno   orderno    -    -
    symbol    symbol     sym  symbol
    board     board      bd   board
    quantity  qty        q    qty
    price     price      px   price
    time      time       -    time
    millis    timestamp  t    timestamp
    open_interest  oi    oi   oi
    existing  existing   h    existing
    side      side       s    side
""")

INSTRUMENT: Final = _names("""
    symbol             symbol             sym    symbol
    exchange           exchange           ex     exchange
    board              board              bd     board
    trading_status     tradingStatus      st     tradingStatus
    status_text        tradingStatusInfo  sti    tradingStatusInfo
    price_min          priceMin           pxmn   priceMin
    price_max          priceMax           pxmx   priceMax
    margin_buy         marginBuy          mgb    marginBuy
    margin_sell        marginSell         mgs    marginSell
    margin_synthetic   marginSyntetic     mgsnt  marginSyntetic
    theoretical_price  theorPrice         pxt    theorPrice
    theoretical_price_limit  theorPriceLimit  pxtl  theorPriceLimit
    volatility         volatility         vl     volatility
""")

POSITION: Final = _names("""
    volume           volume            v      volume
    current_volume   currentVolume     cv     currentVolume
    symbol           symbol            sym    symbol
    broker_symbol    brokerSymbol      tic    brokerSymbol
    portfolio        portfolio         p      portfolio
    exchange         exchange          ex     exchange
    average_price    avgPrice          pxavg  avgPrice
    units            qtyUnits          q      qtyUnits
    open_units       openUnits         o      openUnits
    lot              lotSize           lot    lotSize
    short_name       shortName         n      shortName
    units_t0         qtyT0             q0     qtyT0
    units_t1         qtyT1             q1     qtyT1
    units_t2         qtyT2             q2     qtyT2
    units_future     qtyTFuture        qf     qtyTFuture
    lots_t0          qtyT0Batch        -      qtyT0Batch
    lots_t1          qtyT1Batch        -      qtyT1Batch
    lots_t2          qtyT2Batch        -      qtyT2Batch
    lots_future      qtyTFutureBatch   -      qtyTFutureBatch
    lots             qtyBatch          -      -
    open_lots        openQtyBatch      -      openQtyBatch
    lots_twin        qty               -      -
    open_twin        open              -      -
    day_pnl          dailyUnrealisedPl  upd   dailyUnrealisedPl
    open_pnl         unrealisedPl      up     unrealisedPl
    is_currency      isCurrency        cur    isCurrency
    existing         existing          h      existing
""")

SUMMARY: Final = _names("""
    morning_power       buyingPowerAtMorning           bpm   buyingPowerAtMorning
    buying_power        buyingPower                    bp    buyingPower
    profit              profit                         p     profit
    profit_rate         profitRate                     pr    profitRate
    evaluation          portfolioEvaluation            pe    portfolioEvaluation
    liquidation_value   portfolioLiquidationValue      plv   portfolioLiquidationValue
    initial_margin      initialMargin                  im    initialMargin
    corrected_margin    correctedMargin                mgc   correctedMargin
    before_closing      riskBeforeForcePositionClosing r     riskBeforeForcePositionClosing
    commission          commission                     cms   commission
    by_currency         buyingPowerByCurrency          bpv2  buyingPowerByCurrency
    by_currency_twin    -                              bp2v  -
""")

CURRENCY_POWER: Final = _names("""
    currency      currency     cr  currency
    buying_power  buyingPower  bp  buyingPower
""")

RISK: Final = _names("""
    portfolio          portfolio                  p     portfolio
    exchange           exchange                   ex    exchange
    evaluation         portfolioEvaluation        pe    portfolioEvaluation
    liquidation_value  portfolioLiquidationValue  plv   portfolioLiquidationValue
    initial_margin     initialMargin              mgi   initialMargin
    minimal_margin     minimalMargin              mgmn  minimalMargin
    corrected_margin   correctedMargin            mgc   correctedMargin
    coverage_one       riskCoverageRatioOne       r1    riskCoverageRatioOne
    coverage_two       riskCoverageRatioTwo       r2    riskCoverageRatioTwo
    category           riskCategoryId             rid   riskCategoryId
    client_type        clientType                 ct    clientType
    forbidden          hasForbiddenPositions      fpos  hasForbiddenPositions
    negative           hasNegativeQuantity        nq    hasNegativeQuantity
    status             riskStatus                 rst   riskStatus
    calculated         calculationTime            t     calculationTime
""")

SPECTRA_RISK: Final = _names("""
    portfolio        portfolio            p    portfolio
    free             moneyFree            f    moneyFree
    blocked          moneyBlocked         b    moneyBlocked
    fee              fee                  fee  fee
    old              moneyOld             o    moneyOld
    amount           moneyAmount          a    moneyAmount
    pledge           moneyPledgeAmount    pa   moneyPledgeAmount
    clearing_margin  vmInterCl            mgc  vmInterCl
    current_margin   vmCurrentPositions   mgp  vmCurrentPositions
    variation_margin varMargin            -    varMargin
    indicative       indicativeVarMargin  ivm  indicativeVarMargin
    option_value     netOptionValue       nov  netOptionValue
    position_risk    posRisk              pr   posRisk
    limited          isLimitsSet          lim  isLimitsSet
    balance          balanceMoney         -    -
""")

FILL: Final = _names("""
    id             id                  id   id
    order_id       orderno             eid  orderNo
    comment        comment             cmt  comment
    symbol         symbol              sym  symbol
    broker_symbol  brokerSymbol        tic  brokerSymbol
    exchange       exchange            ex   exchange
    date           date                d    date
    board          board               b    board
    units          qtyUnits            q    qtyUnits
    lots           qtyBatch            qb   qtyBatch
    lots_twin      qty                 -    qty
    price          price               px   price
    accrued        accruedInt          ai   accruedInt
    side           side                s    side
    existing       existing            h    existing
    commission     commission          cms  commission
    repo           repoSpecificFields  r    repoSpecificFields
    volume         volume              v    volume
    settle_date    -                   -    settleDate
""")

ORDER: Final = _names("""
    id             id              id   id
    symbol         symbol          sym  symbol
    board          board           bd   board
    broker_symbol  brokerSymbol    tic  brokerSymbol
    portfolio      portfolio       p    portfolio
    exchange       exchange        ex   exchange
    comment        comment         cmt  comment
    type           type            t    type
    side           side            s    side
    status         status          st   status
    placed         transTime       tt   transTime
    updated        updateTime      ut   updateTime
    ends           endTime         et   endTime
    units          qtyUnits        q    qtyUnits
    lots           qtyBatch        qb   qtyBatch
    lots_twin      qty             -    -
    filled_units   filledQtyUnits  fq   filledQtyUnits
    filled_lots    filledQtyBatch  fqb  filledQtyBatch
    filled_twin    filled          -    -
    price          price           px   price
    existing       existing        h    existing
    time_in_force  timeInForce     tf   timeInForce
    iceberg        iceberg         i    iceberg
    volume         volume          v    volume
""")

ICEBERG: Final = _names("""
    fixed           creationFixedQuantity       cf   creationFixedQuantity
    variance        creationVarianceQuantity    cv   creationVarianceQuantity
    visible_units   visibleQuantity             v    visibleQuantity
    visible_lots    visibleQuantityBatch        vb   visibleQuantityBatch
    visible_filled_units  visibleFilledQuantity  vf  visibleFilledQuantity
    visible_filled_lots   visibleFilledQuantityBatch  vfb  visibleFilledQuantityBatch
""")

STOP_ORDER: Final = _names("""
    id             id               id     id
    linked_id      exchangeOrderId  eid    exchangeOrderId
    symbol         symbol           sym    symbol
    broker_symbol  brokerSymbol     tic    brokerSymbol
    portfolio      portfolio        p      portfolio
    exchange       exchange         ex     exchange
    comment        comment          cmt    comment
    board          board            bd     board
    type           type             t      type
    side           side             s      side
    condition      condition        cnd    condition
    status         status           st     status
    placed         transTime        tt     transTime
    updated        updateTime       ut     updateTime
    ends           endTime          et     endTime
    error          error            err    error
    units          qtyUnits         q      qtyUnits
    lots           qtyBatch         qb     qtyBatch
    lots_twin      qty              -      -
    filled_twin    filled           -      -
    filled_units   filledQtyUnits   fq     filledQtyUnits
    filled_lots    filledQtyBatch   fqb    filledQtyBatch
    price          price            px     price
    average_price  avg_price        pxavg  avgPrice
    stop_price     stopPrice        pxs    stopPrice
    existing       existing         h      existing
    time_in_force  timeInForce      tf     timeInForce
    iceberg        iceberg          i      iceberg
    volume         volume           v      volume
    protecting     protectingSeconds  psec  protectingSeconds
    legacy_lots      -  q    qty
    legacy_ends      -  exp  endTime
    legacy_existing  -  e    -
""")

LEGACY_STOP_ORDER: Final = _names("""
    id             id              id   id
    symbol         symbol          sym  symbol
    broker_symbol  brokerSymbol    tic  brokerSymbol
    exchange       exchange        ex   exchange
    board          board           bd   board
    type           type            t    type
    stop_price     stopPrice       pxs  stopPrice
    side           side            s    side
    status         status          st   status
    ends           endTime         exp  endTime
    lots_twin      qty             q    qty
    filled_lots    filledQtyBatch  fqb  filledQtyBatch
    price          price           px   price
    existing       existing        e    existing
""")

SECURITY: Final = _names("""
    symbol              symbol           sym    symbol
    short_name          shortname        n      shortName
    description         description      desc   description
    exchange            exchange         ex     exchange
    market              market           -      market
    type                type             t      type
    lot                 lotsize          lot    lotSize
    face_value          facevalue        fv     faceValue
    cfi                 cfiCode          cfi    cfiCode
    cancellation        cancellation     cncl   cancellation
    tick                minstep          stp    minStep
    rating              rating           rt     rating
    margin_buy          marginbuy        mgb    marginBuy
    margin_sell         marginsell       mgs    marginSell
    margin_rate         marginrate       mgrt   marginRate
    tick_value          pricestep        stppx  priceStep
    price_max           priceMax         pxmx   priceMax
    price_min           priceMin         pxmn   priceMin
    theoretical_price   theorPrice       pxt    theorPrice
    theoretical_price_limit  theorPriceLimit  pxtl  theorPriceLimit
    volatility          volatility       vl     volatility
    currency            currency         cur    currency
    isin                ISIN             isin   isin
    yield               yield            yld    yield
    board               board            bd     board
    primary_board       primary_board    pbd    primaryBoard
    trading_status      tradingStatus    st     tradingStatus
    status_text         tradingStatusInfo  sti  tradingStatusInfo
    complex_category    complexProductCategory  cpct  complexProductCategory
    price_multiplier    priceMultiplier  pxmu   priceMultiplier
    shown_units         priceShownUnits  pxu    priceShownUnits
    round_to            -                -      roundTo
    strike              strikePrice      pxs    strikePrice
    expiration          endExpiration    exp    endExpiration
    fixed_discount      fixedSpotDiscount  fdis  fixedSpotDiscount
    projected_discount  projectedSpotDiscount  pdis  projectedSpotDiscount
    underlying          underlyingSymbol  usym  underlyingSymbol
    option_side         optionSide       osd    optionSide
""")
