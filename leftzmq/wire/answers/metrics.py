"""The answer to `metrics` as a typed value: figures with their names, as a monitoring system wants
them. docs/metrics.md says what each metric means.

Must not know how a figure is found, nor in which form a monitoring system reads it.
"""

from __future__ import annotations

from leftzmq.wire.replies import Reply


class MetricSample(Reply, frozen=True, kw_only=True):
    """One figure. labels: what it is about, by the names of labels; no two samples of a metric have
    the same ones."""

    labels: dict[str, str]
    value: float


class MetricShown(Reply, frozen=True, kw_only=True):
    """kind: counter (it only grows, and begins at 0 with the agent) or gauge. unit: the unit of the
    values, in words. help: what is counted, as a sentence."""

    name: str
    kind: str
    help: str
    unit: str
    samples: list[MetricSample]


class MetricsShown(Reply, frozen=True, kw_only=True):
    """Every metric that there is, also one without samples."""

    metrics: list[MetricShown]
