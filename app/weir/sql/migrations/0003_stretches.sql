-- Maximal runs of offsets, of entries that are at least settle_s seconds old (0: of all): `covered` by entries, and `read`:
-- those of them that held a record. After a replay entries overlap, and a hole of one may be in no other: an offset that
-- held a record once was read.
CREATE VIEW IF NOT EXISTS ledger_stretches AS
WITH
    runs AS
    (
        SELECT role, service, source_topic, source_log, source_partition,
               arrayJoin(arrayPushFront(arrayFilter(run -> run.2 <= run.3,
                   arrayMap((begin, end) -> ('read', begin, end),
                            arrayPushFront(arrayMap(hole -> hole + 1, holes.last), first),
                            arrayPushBack(arrayMap(hole -> hole - 1, holes.first), last))),
                   ('covered', first, last))) AS run
        FROM ledger
        WHERE {service:String} IN ('', service) AND (recorded_at <= now() - {settle_s:UInt32} OR {settle_s:UInt32} = 0)
    ),
    ordered AS
    (
        SELECT role, service, source_topic, source_log, source_partition, run.1 AS kind, run.2 AS begin, run.3 AS end,
               row_number() OVER w AS place,
               max(run.3) OVER (PARTITION BY role, service, source_topic, source_log, source_partition, run.1 ORDER BY run.2, run.3
                                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM runs
        WINDOW w AS (PARTITION BY role, service, source_topic, source_log, source_partition, run.1 ORDER BY run.2, run.3)
    )
SELECT role, service, source_topic, source_log, source_partition, kind, min(begin) AS low, max(end) AS high
FROM
(
    SELECT *, sum(place = 1 OR begin > before + 1)
              OVER (PARTITION BY role, service, source_topic, source_log, source_partition, kind ORDER BY place) AS stretch
    FROM ordered
)
GROUP BY role, service, source_topic, source_log, source_partition, kind, stretch
