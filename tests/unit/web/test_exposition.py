"""What Prometheus reads is what the agent answered, whatever somebody is called."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some
from prometheus_client.parser import text_string_to_metric_families

from leftzmq.web.exposition import exposition
from leftzmq.wire.answers.metrics import MetricSample, MetricShown, MetricsShown

HOSTILE = 'a"} 1\nleftzmq_files{folder="x'
VALUES = [0, 1, -2.5, 1e-9, 1 << 62, 1_800_000_000.123]
Figures = dict[tuple[tuple[str, str], ...], float]


def shown(kind: str, name: str, *samples: tuple[dict[str, str], float]) -> MetricsShown:
    found = [MetricSample(labels=labels, value=value) for labels, value in samples]
    metric = MetricShown(
        name=name, kind=kind, help="What is\ncounted \\.", unit="files", samples=found
    )
    return MetricsShown(metrics=[metric])


def read(text: bytes) -> dict[str, tuple[str, str, Figures]]:
    """name -> kind, help, figures by their labels; as a reader of the text understands it."""
    return {
        family.name: (
            family.type,
            family.documentation,
            {tuple(sorted(s.labels.items())): s.value for s in family.samples},
        )
        for family in text_string_to_metric_families(text.decode())
    }


def test_a_gauge_and_a_counter() -> None:
    found = read(exposition(shown("gauge", "leftzmq_files", ({"folder": "notes"}, 3))))
    assert found["leftzmq_files"][0] == "gauge"
    assert found["leftzmq_files"][2] == {(("folder", "notes"),): 3}
    text = exposition(shown("counter", "leftzmq_sent_bytes_total", ({"peer": "b"}, 7)))
    assert b'\nleftzmq_sent_bytes_total{peer="b"} 7.0\n' in text
    assert b"# TYPE leftzmq_sent_bytes_total counter\n" in text
    assert b"# HELP leftzmq_sent_bytes_total What is\\ncounted \\\\. (files)\n" in text


@pytest.mark.parametrize("value", VALUES)
def test_a_number_stays_that_number(value: float) -> None:
    found = read(exposition(shown("gauge", "leftzmq_files", ({}, value))))
    assert math.isclose(found["leftzmq_files"][2][()], value, rel_tol=1e-15)


@given(some.lists(some.text(), max_size=5, unique=True))
def test_no_name_gets_out_of_its_label(names: list[str]) -> None:
    names = [HOSTILE, *(name for name in names if name != HOSTILE)]
    samples = [({"folder": name, "peer": name[::-1]}, at) for at, name in enumerate(names)]
    text = exposition(shown("gauge", "leftzmq_tickets", *samples))
    said = [line for line in text.decode().split("\n") if line and not line.startswith("#")]
    assert len(said) == 1 + len(names)
    assert [line.split("{")[0] for line in said[1:]] == ["leftzmq_tickets"] * len(names)


def test_a_hostile_name_is_read_as_it_is() -> None:
    for name in (HOSTILE, "\\", '\\"', "\\n", "", "a\tb", "ü\u202e", "{}", "\r"):
        found = read(exposition(shown("gauge", "leftzmq_tickets", ({"folder": name}, 1))))
        assert found.keys() == {"leftzmq_up", "leftzmq_tickets"}
        assert found["leftzmq_tickets"][2] == {(("folder", name),): 1}


def test_an_agent_that_is_away_is_said_to_be() -> None:
    assert read(exposition(None))["leftzmq_up"][2] == {(): 0} and len(read(exposition(None))) == 1
    assert read(exposition(MetricsShown(metrics=[])))["leftzmq_up"][2] == {(): 1}
