"""What statements may name: functions, engines, kinds, tables of the engine itself."""

from __future__ import annotations


def _words(text: str, between: str | None = None) -> frozenset[str]:
    return frozenset(text.split(between))


# Table functions that stay inside: they make rows, or read tables of this directory.
INSIDE_TABLES = _words(
    "numbers numbers_mt zeros zeros_mt generateseries generate_series primes values sqlstandardvalues null view"
    " viewifpermitted viewexplain merge dictionary input format generaterandom mergetreeindex mergetreeprojection"
    " fuzzjson fuzzquery loop"
)
READER_TABLES = _words(
    "numbers numbers_mt zeros zeros_mt generateseries generate_series primes values sqlstandardvalues view viewexplain"
)
# Scalar functions that reach files, addresses, or what a server keeps for itself.
OUTSIDE_FUNCTIONS = _words(
    "file catboostevaluate getclienthttpheader hascolumnintable reversednsquery showcertificate generateserialid"
    " naivebayesclassifier naivebayesclassifierwithprob naivebayesclassifierwithallprobs disk"
)
OUTSIDE_CATEGORIES = frozenset({"AI"})
READER_REFUSED = _words(
    "filesystemavailable filesystemcapacity filesystemunreserved currentrequesturl serveruuid getmacro"
    " zookeepersessionuptime transactionid transactionlatestsnapshot transactionoldestsnapshot"
)
AGGREGATES = "Aggregate Functions"  # the category of each of them here, whatever the engine puts it under
READER_CATEGORIES = _words(
    "Arithmetic,Arrays,Bit,Bitmap,Comparison,Conditional,Dates and Times,Dictionary,Distance,Embedded Dictionary,"
    "Encoding,Encryption,Financial,Geo,Geo Polygon,Hash,IP Address,JSON,Logical,Machine Learning,Map,Mathematical,"
    "Null,NumericIndexedVector,Other,QBit,Random Number,Rounding,String,String Replacement,String Search,"
    "String Splitting,Time Series,Time Window,Tuple,Type Conversion,URL,UUID",
    ",",
) | {AGGREGATES}
PLAIN_INTERNALS = frozenset({"_cast", "nested", "casewithexpression", "casewithexpr"})  # as the formatter may write

TABLE_ENGINES = _words(
    "mergetree replacingmergetree summingmergetree aggregatingmergetree collapsingmergetree coalescingmergetree"
    " versionedcollapsingmergetree graphitemergetree memory log tinylog stripelog null set join buffer merge"
    " dictionary view materializedview generaterandom timeseries alias"
)
DATABASE_ENGINES = frozenset({"atomic", "memory", "ordinary", "dictionary"})
SOURCES = frozenset({"clickhouse", "null"})
SOURCE_KEYS = frozenset({"table", "db", "query", "where", "invalidate_query", "update_field", "update_lag"})
SOURCE_QUERIES = frozenset({"query", "invalidate_query"})  # of these, the ones that are whole statements

# Between the first word of a statement and the name of the table that it is about.
BEFORE_TABLES = _words("INTO TABLE VIEW DICTIONARY MATERIALIZED TEMPORARY OR REPLACE IF NOT EXISTS")
READ_KINDS = frozenset({"SELECT", "WITH", "EXPLAIN", "SHOW", "DESCRIBE", "EXISTS"})
KINDS = READ_KINDS | _words(
    "INSERT CREATE ALTER DROP ATTACH DETACH RENAME TRUNCATE OPTIMIZE SYSTEM KILL SET USE EXCHANGE DELETE UPDATE"
    " REPLACE UNDROP CHECK"
)
SYSTEM_ACTS = _words("RELOAD REFRESH WAIT STOP START CANCEL PAUSE FLUSH SYNC DROP CLEAR")
SHOWN = _words(
    "TABLES DATABASES DICTIONARIES COLUMNS FULL EXTENDED TEMPORARY INDEX INDEXES INDICES KEYS CREATE SETTINGS CHANGED"
    " SETTING FUNCTIONS ENGINES MERGES"
)
CHANGING = _words("INSERT CREATE ALTER DROP ATTACH DETACH RENAME TRUNCATE OPTIMIZE SYSTEM KILL SET")
SYSTEM_TABLES = _words(
    "aggregate_function_combinators asynchronous_metrics build_options clusters codecs collations columns completions"
    " contributors data_skipping_index_types data_skipping_indices data_type_families database_engines databases"
    " detached_parts dictionaries dictionary_layouts disks documentation enabled_roles current_roles events formats"
    " functions graphite_retentions keywords licenses macros merge_tree_settings merges metrics mutations numbers"
    " numbers_mt one parts parts_columns primes projections roles settings settings_changes storage_policies"
    " table_engines table_functions tables time_zones tokenizers unicode users view_refreshes zeros zeros_mt"
)
