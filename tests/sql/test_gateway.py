"""Services that belong to somebody else: behind a path, with certificates of a company, and with few rights."""

import pytest
from weir.core.errors import Refused, Unavailable
from weir.edges.clickhouse import migrations
from weir.edges.clickhouse.client import connect
from weir.edges.schemas.registry import Registry

from tests.gateway import gateway


def test_a_database_that_is_there_is_migrated_by_who_may_make_none(stack, tmp_path):
    name = "of_somebody_else"
    direct = connect(stack.settings.recording, database="")
    direct.command(f"CREATE DATABASE {name}")
    try:
        with gateway(stack.settings.recording.clickhouse_url, "/clickhouse/eu", tmp_path) as (url, ca):
            theirs = stack.settings.having(
                clickhouse_url=url, clickhouse_ca_file=str(ca), clickhouse_database=name
            ).recording
            assert migrations.apply(theirs).applied
            assert connect(theirs).query("SELECT count() FROM predictions").result_rows == [(0,)]
            with pytest.raises(Refused, match="CREATE DATABASE"):
                migrations.apply(theirs.model_copy(update={"clickhouse_database": "of_nobody"}))
            with pytest.raises(Unavailable, match=r"certificate|CERTIFICATE"):
                connect(theirs.model_copy(update={"clickhouse_ca_file": ""}))
    finally:
        direct.command(f"DROP DATABASE {name}")


def test_a_registry_behind_a_path_and_an_authority_is_asked(stack, tmp_path):
    with gateway(stack.settings.registry.registry_url, "/registry", tmp_path) as (url, ca):
        theirs = stack.settings.having(registry_url=url, registry_ca_file=str(ca)).registry
        schema = '{"type": "record", "name": "Behind", "fields": []}'
        number = Registry(theirs).register("behind-value", schema)
        assert Registry(stack.settings.registry).contract("behind-value").schema_id == number
        with pytest.raises(Unavailable):
            Registry(theirs.model_copy(update={"registry_ca_file": ""})).contract("behind-value")
