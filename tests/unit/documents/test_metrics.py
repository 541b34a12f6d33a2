"""docs/metrics.md is what the agent counts: every metric is there, as the code names it, and no
other one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leftzmq.errors import ProblemKind
from leftzmq.sync.admin.metrics import Metric, MetricKind, Named
from leftzmq.sync.folder import FolderState
from leftzmq.web.exposition import UP

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "metrics.md").read_text()
_ROW = re.compile(r"^\| `(leftzmq_\w+)` \| (\w+) \| ([^|]+) \| ([^|]+) \| (.+) \|$", re.M)
BASE_UNITS = {"bytes": "_bytes", "seconds": "_seconds", "unix seconds": "_seconds"}
"""The unit, in words -> how the name ends then."""


PROMTOOL = shutil.which("promtool")
ALERTS = DOCS / "alerts.yml"
BOARD = json.loads((DOCS / "grafana.json").read_text())
LABELS_OF_PROMETHEUS = {"instance", "job"}
_CALLED = re.compile(r"\b(leftzmq_\w+|up)\b(?:\{([^}]*)\})?", re.ASCII)
_MATCHED = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')


def rows() -> dict[str, Named]:
    return {
        name: Named(name, MetricKind(kind), unit, tuple(re.findall(r"`(\w+)`", labels)), meaning)
        for name, kind, unit, labels, meaning in _ROW.findall(TEXT)
    }


def test_the_page_has_every_metric_as_the_code_names_it() -> None:
    assert rows() == {metric.value.name: metric.value for metric in Metric}
    assert len(_ROW.findall(TEXT)) == len(Metric)


def test_the_page_has_every_label() -> None:
    named = set(re.findall(r"^\| `([a-z]+)` \|", TEXT, re.M))
    assert named == {label for metric in Metric for label in metric.value.labels}


def test_metrics_that_the_page_speaks_of_are_there() -> None:
    spoken = set(re.findall(r"\bleftzmq_\w+", TEXT))
    assert spoken - {metric.value.name for metric in Metric} == {UP}


@pytest.mark.parametrize("metric", Metric, ids=lambda metric: metric.value.name)
def test_a_name_is_as_prometheus_wants_it(metric: Metric) -> None:
    named = metric.value
    assert re.fullmatch(r"leftzmq(_[a-z]+)+", named.name)
    assert named.name.endswith("_total") is (named.kind is MetricKind.COUNTER)
    base = named.name.removesuffix("_total")
    assert base.endswith(BASE_UNITS.get(named.unit, ""))
    if named.unit not in BASE_UNITS:
        assert not base.endswith(tuple(BASE_UNITS.values()))
    assert named.help.endswith(".") and named.unit and len(named.labels) <= 2


# -- alarms and the board ------------------------------------------------------------------------


def alarms() -> dict[str, str]:
    """What each alarm asks, by its name."""
    found = re.findall(r"- alert: (\w+)\n\s+expr: (.+)\n", ALERTS.read_text())
    assert len(found) == ALERTS.read_text().count("alert:") > 5
    return dict(found)


def panels() -> dict[str, list[str]]:
    """What each panel asks, by its title."""
    return {one["title"]: [each["expr"] for each in one["targets"]] for one in BOARD["panels"]}


def questions() -> list[str]:
    """Everything that is asked of Prometheus."""
    variables = [one["query"] for one in BOARD["templating"]["list"]]
    asked = [one["query"] for one in variables if isinstance(one, dict)]
    return [*alarms().values(), *(each for some in panels().values() for each in some), *asked]


def named(question: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each metric of a question, and what its labels are to be."""
    for name, labels in _CALLED.findall(question):
        yield name, dict(_MATCHED.findall(labels))


@pytest.mark.parametrize("question", questions())
def test_what_alarms_and_the_board_ask_for_is_there(question: str) -> None:
    known = {metric.value.name: set(metric.value.labels) for metric in Metric}
    known |= {UP: set(), "up": set()}
    found = list(named(question))
    assert found
    for name, labels in found:
        assert name in known
        assert labels.keys() <= known[name] | LABELS_OF_PROMETHEUS
        counts = name.endswith("_total")
        assert counts is bool(re.search(rf"\b(rate|increase)\({name}\b", question)), "its growth"


WORDS = {
    "leftzmq_problems": {kind.name for kind in ProblemKind},
    "leftzmq_folder_state": {state.value for state in FolderState},
}


def test_words_that_alarms_ask_for_are_those_of_the_agent() -> None:
    seen = 0
    for question in alarms().values():
        for name, labels in named(question):
            for word in labels.get("kind", "").split("|") if "kind" in labels else ():
                assert word in WORDS[name]
                seen += 1
    assert seen > 5


def test_there_is_an_alarm_for_what_needs_a_person() -> None:
    asked = " ".join(alarms().values())
    for metric in (
        Metric.OLDEST_PENDING,
        Metric.PEER_OLDEST_PENDING,
        Metric.PROBLEMS,
        Metric.HELD_FILES,
        Metric.DROPPED_PEERS,
    ):
        assert metric.value.name in asked
    assert UP in asked and "oldest_pending_seconds > 900" in asked
    page = re.findall(r"^\| `(Leftzmq\w+)` \|", TEXT, re.M)
    assert page == list(alarms()), "the page has each of them"


def test_the_board_shows_what_a_person_looks_for() -> None:
    assert panels().keys() >= {"State", "Pending", "Rates", "Oldest change that waits", "Problems"}
    places: list[Any] = [one["gridPos"] for one in BOARD["panels"]]
    cells = [
        (x, y)
        for at in places
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells) and max(x for x, _ in cells) < 24, "none covers another"
    assert len({one["id"] for one in BOARD["panels"]}) == len(places)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing: Debian's package prometheus")
def test_prometheus_takes_the_rules() -> None:
    done = subprocess.run(
        [str(PROMTOOL), "check", "rules", str(ALERTS)], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alarms())} rules found" in done.stdout


RINGS = 'ALERTS{alertname="%s",alertstate="firing"}'
CASES = {
    "LeftzmqAgentAway": (
        [('up{job="leftzmq",instance="a"}', "0+0x60"), ('leftzmq_up{instance="b"}', "0+0x60")],
        [('up{job="leftzmq",instance="a"}', "1+0x60"), ('leftzmq_up{instance="a"}', "1+0x60")],
    ),
    "LeftzmqFolderStopped": (
        [('leftzmq_folder_state{folder="f",kind="stopped"}', "1+0x60")],
        [('leftzmq_folder_state{folder="f",kind="idle"}', "1+0x60")],
    ),
    "LeftzmqChangeWaits": (
        [('leftzmq_oldest_pending_seconds{folder="f"}', "0+60x60")],
        [('leftzmq_oldest_pending_seconds{folder="f"}', "900+0x60")],
        [
            ('leftzmq_oldest_pending_seconds{folder="f"}', "0+60x60"),
            ('leftzmq_folder_state{folder="f",kind="paused"}', "1+0x60"),
            ('leftzmq_folder_state{folder="other",kind="held"}', "1+0x60"),
        ],
    ),
    "LeftzmqPeerBehind": (
        [
            ('leftzmq_peer_oldest_pending_seconds{instance="a",folder="f",peer="b"}', "0+60x60"),
            ('leftzmq_peer_connected{instance="a",peer="b"}', "1+0x60"),
        ],
        [
            ('leftzmq_peer_oldest_pending_seconds{instance="a",folder="f",peer="b"}', "0+60x60"),
            ('leftzmq_peer_connected{instance="a",peer="b"}', "0+0x60"),
            ('leftzmq_peer_connected{instance="a",peer="c"}', "1+0x60"),
        ],
    ),
    "LeftzmqNoRoom": (
        [('leftzmq_problems{folder="f",kind="LOW_SPACE"}', "1+0x60")],
        [('leftzmq_problems{folder="f",kind="ROTTEN"}', "1+0x60")],
    ),
    "LeftzmqProblems": (
        [('leftzmq_problems{folder="f",kind="ROTTEN"}', "1+0x60")],
        [('leftzmq_problems{folder="f",kind="BEING_WRITTEN"}', "1+0x60")],
    ),
    "LeftzmqGuardHolds": (
        [('leftzmq_held_files{folder="f",kind="here"}', "120+0x60")],
        [('leftzmq_held_files{folder="f",kind="here"}', "0+0x60")],
    ),
    "LeftzmqPeerDropped": (
        [('leftzmq_dropped_peers_total{peer="b"}', "0 0 0 0 0 0 0 0 0 1+0x50")],
        [('leftzmq_dropped_peers_total{peer="b"}', "7+0x60")],
    ),
    "LeftzmqDescriptors": (
        [("leftzmq_open_descriptors", "900+0x60"), ("leftzmq_max_descriptors", "1024+0x60")],
        [("leftzmq_open_descriptors", "800+0x60"), ("leftzmq_max_descriptors", "1024+0x60")],
    ),
}
"""By alarm: figures, one a minute, with which it rings, and some with which it does not."""


def test_every_alarm_is_tried() -> None:
    assert CASES.keys() == alarms().keys()


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing: Debian's package prometheus")
def test_alarms_ring_when_they_should_and_only_then(tmp_path: Path) -> None:
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series],
            "promql_expr_test": [
                {
                    "expr": f"count({RINGS % alarm}) or vector(0)",
                    "eval_time": "50m",
                    "exp_samples": [{"labels": "{}", "value": count}],
                }
            ],
        }
        for alarm, cases in CASES.items()
        for at, series in enumerate(cases)
        for count in [0 if at else 2 if alarm == "LeftzmqAgentAway" else 1]
    ]
    file = tmp_path / "tests.yml"  # what is JSON is YAML
    file.write_text(json.dumps({"rule_files": [str(ALERTS)], "tests": tests}))
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", str(file)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing: Debian's package prometheus")
def test_prometheus_understands_the_questions_of_the_board(tmp_path: Path) -> None:
    asked = [each for some in panels().values() for each in some]
    filled = [re.sub(r"\$__rate_interval", "5m", re.sub(r'"\$\w+"', '".*"', one)) for one in asked]
    rules = [{"record": f"asked:{n}", "expr": question} for n, question in enumerate(filled)]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "board", "rules": rules}]}))
    done = subprocess.run(
        [str(PROMTOOL), "check", "rules", str(file)], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(asked)} rules found" in done.stdout
