-- name: gate/last_scored
-- title: When a request of a service was scored or rejected last
-- grain: service
-- source: table gate_batches, whose minutes are those of the scoring
-- value: minute (1970 where none ever was)
-- panel: none
SELECT {service:String} AS service, max(minute) AS minute FROM gate_batches WHERE service = {service:String}
