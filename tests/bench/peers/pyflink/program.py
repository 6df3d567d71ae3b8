"""PyFlink as its guide has it: Table API, the Kafka connector, a vectorized (pandas) UDF for one ONNX call a batch."""

import sys
from pathlib import Path

import pandas as pd
from job import BROKERS, GROUP, MAX_BATCH, PREDICTIONS_TOPIC, REQUESTS_TOPIC, Job
from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment
from pyflink.table.expressions import col
from pyflink.table.udf import ScalarFunction, udf

SETTINGS = {
    "parallelism.default": "1",
    "python.client.executable": sys.executable,
    "python.executable": sys.executable,
    "python.fn-execution.arrow.batch.size": str(MAX_BATCH),
    "python.fn-execution.bundle.size": str(10 * MAX_BATCH),  # several Arrow batches: fewer round trips
    "python.fn-execution.bundle.time": "200",
    "execution.checkpointing.interval": "5 s",  # without one, nothing is committed
}


class Score(ScalarFunction):
    def open(self, function_context):
        self._job = Job()

    def eval(self, values):
        return pd.Series(self._job.batch(values.tolist()))


def kafka(table: str, topic: str, options: str = "") -> str:
    return f"""
        CREATE TABLE {table} (`body` BYTES) WITH (
            'connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{BROKERS}',
            'format' = 'raw' {options}
        )"""


def main() -> None:
    tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    jars = sorted((Path(sys.prefix) / "jars").glob("*.jar"))
    settings = {**SETTINGS, "pipeline.jars": ";".join(jar.as_uri() for jar in jars)}
    for name, value in settings.items():
        tables.get_config().set(name, value)
    group = f", 'properties.group.id' = '{GROUP}', 'scan.startup.mode' = 'earliest-offset'"
    tables.execute_sql(kafka("requests", REQUESTS_TOPIC, group))
    tables.execute_sql(kafka("predictions", PREDICTIONS_TOPIC))
    score = udf(Score(), result_type=DataTypes.BYTES(), func_type="pandas")
    tables.from_path("requests").select(score(col("body"))).execute_insert("predictions").wait()


if __name__ == "__main__":
    main()
