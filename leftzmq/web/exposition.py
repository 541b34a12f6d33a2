"""The agent's figures in the text form of Prometheus (version 0.0.4).

Knows that form, through prometheus_client. Must not know what a figure means: names, units and
labels are those that the agent gives. Label values are names that others chose; the library escapes
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from leftzmq.wire.answers.metrics import MetricShown, MetricsShown

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
UP: Final = "leftzmq_up"
_UP_HELP: Final = "Whether the agent answered: 1, or 0."
_COUNTER: Final = "counter"


def exposition(shown: MetricsShown | None) -> bytes:
    """Return the text that Prometheus reads, as UTF-8; CONTENT_TYPE is its type. shown: None: no
    agent answered, and only that is said."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Shown(shown))
    return generate_latest(registry)


class _Shown(Collector):
    """What one answer has, as the library wants it."""

    def __init__(self, shown: MetricsShown | None) -> None:
        self._shown = shown

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(UP, _UP_HELP, value=int(self._shown is not None))
        for metric in self._shown.metrics if self._shown is not None else ():
            yield _family(metric)


def _family(metric: MetricShown) -> Metric:
    """The library ends the name of a counter with `_total` by itself."""
    family = CounterMetricFamily if metric.kind == _COUNTER else GaugeMetricFamily
    found = family(metric.name, f"{metric.help} ({metric.unit})")
    for sample in metric.samples:
        found.add_sample(metric.name, sample.labels, sample.value)
    return found
