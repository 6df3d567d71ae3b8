"""Faust as its guide has it: `take` for batches, one ONNX call a batch, one `send` a prediction."""

import mode.loop

mode.loop.use("uvloop")  # before faust is imported; a sixth less CPU per event

import faust  # noqa: E402
from job import BROKERS, GROUP, MAX_BATCH, PREDICTIONS_TOPIC, REQUESTS_TOPIC, Job  # noqa: E402

app = faust.App(
    GROUP,
    broker=f"kafka://{BROKERS}",
    consumer_auto_offset_reset="earliest",
    topic_disable_leader=True,
    topic_allow_declare=False,
    web_enabled=False,
    producer_linger_ms=20,  # its default is 0; another sixth
)
requests = app.topic(REQUESTS_TOPIC, value_type=bytes, value_serializer="raw")
predictions = app.topic(PREDICTIONS_TOPIC, value_type=bytes, value_serializer="raw")
job = Job()


@app.agent(requests)
async def score(stream):
    async for values in stream.take(MAX_BATCH, within=0.05):
        for prediction in job.batch(values):
            await predictions.send(value=prediction)


if __name__ == "__main__":
    faust.Worker(app, loglevel="INFO").execute_from_commandline()
