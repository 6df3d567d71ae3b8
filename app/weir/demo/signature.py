"""What the flight-delay model is asked and told: the source of its request contract, its checks and its matrix.

The question, one hour before scheduled departure: will the flight arrive 15 or more minutes late?

Policies. Two faults look alike to a model and are not: a value that the world does not have, and a feed that stopped.

- Smoothed means (delays, shares of late flights) are the prior when no event is in the window, so both a missing and a
  stale record say the same thing, "nothing recent is known": the prior takes their place. So it is with the last delay
  of a plane that is unknown, was never seen to land, or not for long.
- Weather: a null is an observation ("no pressure was reported", which happens in rain) and the model was trained on
  it, so it is used as it is. A stale observation is a broken feed and says nothing of the flight: the typical weather
  of the training months takes its place. Gusts are reported only when there are any, so a missing gust is none.

Threshold. An alert lets operations hold connections and move a crew; a false one wastes that. With MISSED_USD lost per
missed late flight and FALSE_ALERT_USD per needless alert, an alert pays when p * missed > (1 - p) * false, that is when
p > false / (false + missed). Every outcome states both, and VALUE says which of them a decision is worth.
"""

from __future__ import annotations

from weir.core.signature import Dtype, Input, JoinKey, Policy, Signature, Source

SERVICE = "flight-delay"
FEATURE_SERVICE = "flight_delay_v1"

MISSED_USD = -300.0  # a late flight that nobody was warned of: rebooked connections, crew out of hours
FALSE_ALERT_USD = -100.0  # a warning for a flight that came in time: a standby crew called for nothing
THRESHOLD = FALSE_ALERT_USD / (FALSE_ALERT_USD + MISSED_USD)
VALUE = """
    multiIf(decision = 'negative' AND label = 'positive', attributes['missed'],
            decision = 'positive' AND label = 'negative', attributes['false_alert'], 0)
"""

LATE_MIN = 15.0  # the US Department of Transportation's definition of a late arrival
LEAD_MIN = 60  # requests come this long before scheduled departure
PRIOR_DEPDELAY_MIN = 12.0  # priors: means of the training months, rounded
PRIOR_ARRDELAY_MIN = 6.0
PRIOR_LATE = 0.24

CARRIERS = tuple("9E AA AS B6 DL EV F9 FL HA MQ OO UA US VX WN YV".split())  # noqa: SIM905 - a list of words
ORIGINS = ("EWR", "JFK", "LGA")
_DESTINATIONS = """
    ABQ ACK ALB ANC ATL AUS AVL BDL BGR BHM BNA BOS BQN BTV BUF BUR BWI BZN CAE CAK CHO CHS CLE CLT CMH CRW CVG DAY DCA
    DEN DFW DSM DTW EGE EYW FLL GRR GSO GSP HDN HNL HOU IAD IAH ILM IND JAC JAX LAS LAX LEX LGA LGB MCI MCO MDW MEM MHT
    MIA MKE MSN MSP MSY MTJ MVY MYR OAK OKC OMA ORD ORF PBI PDX PHL PHX PIT PSE PSP PVD PWM RDU RIC ROC RSW SAN SAT SAV
    SBN SDF SEA SFO SJC SJU SLC SMF SNA SRQ STL STT SYR TPA TUL TVC TYS XNA
"""
DESTINATIONS = tuple(_DESTINATIONS.split())
ENGINES = ("unknown", "Turbo-fan", "Turbo-jet", "Turbo-prop", "Turbo-shaft", "Reciprocating", "4 Cycle")


def _asked(name: str, low: float | None, high: float | None, doc: str, *, missing: Policy = Policy.REJECT) -> Input:
    """A number that the request carries."""
    return Input(name=name, source=Source.REQUEST, ref=name, low=low, high=high, on_missing=missing, doc=doc)


def _chosen(name: str, categories: tuple[str, ...], doc: str, *, default: float | None = None) -> Input:
    """A word that the request carries; an unknown one is `default`, or NaN (an unseen category) where there is none."""
    missing = Policy.USE if default is None else Policy.DEFAULT
    return Input(
        name=name,
        source=Source.REQUEST,
        ref=name,
        dtype=Dtype.CATEGORY,
        categories=categories,
        on_missing=missing,
        default=default,
        doc=doc,
    )


def _rolling(view: str, feature: str, prior: float, span: tuple[float, float], doc: str) -> Input:
    """A rolling statistic; the prior stands in for what is missing or stale."""
    ref = f"{view}__{feature}"
    return Input(
        name=ref,
        source=Source.FEATURE,
        ref=ref,
        low=span[0],
        high=span[1],
        on_missing=Policy.DEFAULT,
        on_stale=Policy.DEFAULT,
        default=prior,
        doc=doc,
    )


def _weather(feature: str, typical: float, low: float, high: float, doc: str, *, missing: Policy = Policy.USE) -> Input:
    """The last observation at the origin, published at least an hour after the hour that it describes."""
    ref = f"origin_weather__{feature}"
    return Input(
        name=ref,
        source=Source.FEATURE,
        ref=ref,
        low=low,
        high=high,
        on_missing=missing,
        on_stale=Policy.DEFAULT,
        default=typical,
        doc=doc,
    )


DELAY = (-120.0, 3000.0)  # minutes; the longest delay of the year is 1,301
COUNT = (0.0, 1000.0)  # flights an hour; the three airports together schedule 120 at most
SHARE = (0.0, 1.0)

SIGNATURE = Signature(
    threshold=THRESHOLD,
    join_keys=(
        JoinKey(name="carrier", doc="airline, IATA code"),
        JoinKey(name="origin", doc="airport of departure, IATA code"),
        JoinKey(name="dest", doc="airport of arrival, IATA code"),
        JoinKey(name="route", doc="origin and destination, 'EWR-IAH'"),
        JoinKey(name="flight_number", doc="carrier, number and destination, 'UA1545-IAH'"),
        JoinKey(name="plane", required=False, doc="tail number; not always known an hour before departure"),
    ),
    inputs=(
        _chosen("carrier", CARRIERS, "airline"),
        _chosen("origin", ORIGINS, "airport of departure"),
        _chosen("dest", DESTINATIONS, "airport of arrival"),
        _chosen("engine", ENGINES, "engine type of the plane", default=0.0),
        _asked("hour", 0.0, 24.0, "scheduled departure, hours after midnight in New York"),
        _asked("dow", 0.0, 6.0, "day of the week in New York, Monday = 0"),
        _asked("distance", 0.0, 10_000.0, "miles"),
        _asked("sched_dur", 10.0, 1440.0, "scheduled minutes from gate to gate"),
        _asked("dest_lat", -90.0, 90.0, "latitude of the destination, degrees"),
        _asked("dest_lon", -180.0, 180.0, "longitude of the destination, degrees"),
        _asked("plane_age", -1.0, 100.0, "years since the plane was built", missing=Policy.USE),
        _asked("plane_seats", 1.0, 900.0, "seats of the plane", missing=Policy.USE),
        _asked("org_sched_next1h", *COUNT, "flights scheduled to leave the origin within an hour of this one"),
        _asked("org_sched_prev3h", *COUNT, "flights scheduled to leave the origin in the 3 hours before the request"),
        _rolling("origin_recent", "depdelay_1h", PRIOR_DEPDELAY_MIN, DELAY, "mean departure delay there, 1 h"),
        _rolling("origin_recent", "ndep_1h", 0.0, COUNT, "departures from the origin, 1 h"),
        _rolling("origin_recent", "depdelay_3h", PRIOR_DEPDELAY_MIN, DELAY, "mean departure delay there, 3 h"),
        _rolling("origin_recent", "gone_3h", 0.0, COUNT, "departures from the origin, 3 h"),
        _rolling("carrier_origin_recent", "depdelay_3h", PRIOR_DEPDELAY_MIN, DELAY, "the carrier's own there, 3 h"),
        _rolling("carrier_recent", "late_24h", PRIOR_LATE, SHARE, "share of its arrivals that were late, 24 h"),
        _rolling("dest_recent", "arrdelay_6h", PRIOR_ARRDELAY_MIN, DELAY, "mean arrival delay at the destination, 6 h"),
        _rolling("route_recent", "late_7d", PRIOR_LATE, SHARE, "share of its arrivals that were late, 7 d"),
        _rolling("flight_recent", "late_21d", PRIOR_LATE, SHARE, "share of its arrivals that were late, 21 d"),
        _rolling("plane_recent", "last_arrdelay", PRIOR_ARRDELAY_MIN, DELAY, "delay of its last arrival, minutes"),
        _weather("temp", 46.4, -80.0, 140.0, "temperature, degrees F"),
        _weather("dewp", 32.0, -80.0, 140.0, "dew point, degrees F"),
        _weather("humid", 60.7, 0.0, 100.0, "relative humidity, percent"),
        _weather("wind_dir", 220.0, 0.0, 360.0, "wind direction, degrees"),
        _weather("wind_speed", 11.0, 0.0, 200.0, "wind speed, mph"),
        _weather("wind_gust", 0.0, 0.0, 250.0, "wind gust, mph; none reported is none", missing=Policy.DEFAULT),
        _weather("precip", 0.0, 0.0, 20.0, "rain, inches an hour"),
        _weather("pressure", 1018.0, 850.0, 1100.0, "pressure at sea level, mbar"),
        _weather("visib", 10.0, 0.0, 20.0, "visibility, miles"),
    ),
)
