-- What concerns all hours of the service: how many outcomes named their request, and what each bundle calls its classes.
SELECT told
FROM
(
    SELECT (toString(sum(n)), '', emptyArrayString()) AS told FROM outcome_changes WHERE service = {service:String} AND hour = toDateTime(0, 'UTC')
    UNION ALL
    SELECT DISTINCT (toString(digest), toString(task), classes) FROM bundles WHERE service = {service:String}
)
ORDER BY told
