"""Whatever a worker spends is told once, with the next batch."""

from types import SimpleNamespace

from weir.agents.scorer.meter import Meter


def test_every_second_is_told_once_and_idleness_is_time_without_a_batch():
    now = SimpleNamespace(s=100.0, cpu_s=8.0)
    meter = Meter(50, clock=lambda: now.s, cpu=lambda: now.cpu_s)
    now.s = 103.0
    meter.begin(wait_s=1.0)  # idle from 100 to 102, then a second of waiting for more rows
    now.s = 103.5
    meter.begin(wait_s=0.0)  # another one is under way: not idle
    first = meter.take()
    assert (first.batch_id, first.number, first.cpu_s, first.produce_s, first.idle_s) == (50, 1, 8.0, 0.0, 2.0)
    now.cpu_s = 8.5
    second = meter.take()
    assert (second.batch_id, second.number, second.cpu_s, second.idle_s) == (51, 2, 0.5, 0.0)
    now.s = 104.0
    meter.delivered(1, 0.25)
    meter.begin(wait_s=0.0)  # the second is not delivered yet
    now.s = 105.0
    meter.delivered(2, 0.5)
    now.s = 106.0
    meter.begin(wait_s=0.0)
    third = meter.take()
    assert (third.cpu_s, third.produce_s, third.idle_s) == (0.0, 0.75, 1.0)


def test_a_record_fetched_while_the_batch_before_was_written_is_no_idleness():
    now = SimpleNamespace(s=0.0)
    meter = Meter(1, clock=lambda: now.s, cpu=lambda: 0.0)
    meter.begin(wait_s=0.0)
    now.s = 1.0
    meter.delivered(1, 0.0)
    now.s = 1.5
    meter.begin(wait_s=1.2)
    assert meter.take().idle_s == 0.0
