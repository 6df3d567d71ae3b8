"""Which settings a statement or a request may change, by name."""

from __future__ import annotations

import re

from weir.edges.embedded.clickhouse_facade.faults import ACCESS_DENIED, READONLY, Fault

# Settings that name files, addresses or SQL, change how a statement is read, or switch on what may not be called.
_LEAVING = re.compile(
    r".*dialect.*|format_schema.*|format_template_.*|output_format_schema|.*registry_url|.*errors_file_path"
    r"|(?:url|s3)_base|additional_(?:table_filters|result_filter)|select|filter|order|sort|http_allow_.*"
    r"|parallel_replicas_custom_key.*"
    r"|allow_(?:python_table_function|introspection_functions|get_client_http_header|experimental_ai_functions)"
    r"|ai_function_.*|rename_files_after_processing|promql_.*|dynamic_disk_.*|into_outfile_.*|jemalloc_.*"
    r"|schema_inference_hints"
)
# What a reader may ask for: how a result looks, and what drivers send with every statement. All else is the owner's.
_READER = re.compile(
    r"output_format_\w+|format_csv_\w+|date_time_output_format|bool_\w+_representation|session_timezone|extremes"
    r"|join_use_nulls|max_block_size|max_query_size|async_insert|wait_for_async_insert|log_queries|use_query_cache"
)
_ASSIGNED = re.compile(r"(\w+)\s*=")


def leave(text: str) -> bool:
    """Whether a text assigns a setting that nobody may change here."""
    return any(_LEAVING.fullmatch(name) for name in _ASSIGNED.findall(text))


def for_anyone(name: str) -> None:
    """Raises Fault for a setting that nobody may change here."""
    if _LEAVING.fullmatch(name):
        text = f"The setting {name} is not for the embedded ClickHouse: it leaves the database"
        raise Fault(ACCESS_DENIED, "ACCESS_DENIED", text)


def for_reader(name: str) -> None:
    """Raises Fault, as a server does, for a setting that a read-only user may not change."""
    for_anyone(name)
    if not _READER.fullmatch(name):
        raise Fault(READONLY, "READONLY", f"Cannot modify '{name}' setting in readonly mode")
