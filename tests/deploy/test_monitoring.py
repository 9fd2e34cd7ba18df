"""``deploy/monitoring``: what its queries read is what a node tells, and each alert says what to do."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping

import grpc
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from longshore_server.access.permissions import Permission
from longshore_server.identity import Identity
from longshore_server.metrics import Metrics
from longshore_storage import errors
from longshore_storage.catalogue.lifecycle import DeploymentStatus
from longshore_storage.collecting.collector import CHORE
from tests.docs.pages import page

from .queries import MONITORING, Query, alerts, dashboard, queries

QUERIES = list(queries())
# What Prometheus adds to whatever it reads.
ADDED = {"instance", "job"}
SUFFIXES: Mapping[str | None, tuple[str]] = {"counter": ("_total",), "gauge": ("",), "info": ("_info",)}
HISTOGRAM = ("_bucket", "_count", "_sum")

# The words that stand behind a label, where they are few.
VALUES: Mapping[tuple[str, str], set[str]] = {
    ("longshore_nodes", "state"): {"alive", "away", "cordoned", "draining"},
    ("longshore_deployments_unfinished", "status"): {status.lower() for status in DeploymentStatus},
    ("longshore_deployments_oldest_seconds", "status"): {status.lower() for status in DeploymentStatus},
    ("longshore_deployments_ended_total", "outcome"): {status.lower() for status in DeploymentStatus},
    ("longshore_activations_total", "outcome"): {"live", "removed", "failed"},
    ("longshore_calls_total", "code"): {code.name for code in grpc.StatusCode},
    ("longshore_denials_total", "permission"): {*Permission, "authentication"},
    ("longshore_upload_bytes_total", "what"): {"payload", "received", "reused", "stored"},
    ("longshore_blob_store_errors_total", "error"): set(vars(errors)),
    ("longshore_chore_ended_timestamp_seconds", "chore"): {CHORE},
    ("longshore_notifications_total", "outcome"): {"delivered", "failed", "given_up"},
    ("up", "job"): {"longshore"},
}


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    """The labels of every series that a node's metrics have, by its name."""
    found: dict[str, set[str]] = {
        "up": set(),
        "longshore_node_info": {"name", "environment", "roles", "version"},
    }
    metrics = Metrics(Identity("id", "one", "default", ("control",), 1), "0")
    for metric in vars(metrics).values():
        if not isinstance(metric, MetricWrapperBase):
            continue
        labels = set(metric._labelnames)
        if metric._type == "histogram":
            found |= {
                metric._name + suffix: labels | ({"le"} if suffix == "_bucket" else set())
                for suffix in HISTOGRAM
            }
        else:
            found |= {metric._name + suffix: labels for suffix in SUFFIXES[metric._type]}
    for family in metrics.registry.collect():
        if family.name.startswith(("process_", "python_")):
            found |= {sample.name: set(sample.labels) for sample in family.samples}
    return found


# Gauges that the node adds when it has what they read; tests/server/test_metrics.py sees them told.
ADDED_BY_NODE = {
    "longshore_uploads_running",
    "longshore_uploads_waiting",
    "longshore_followers",
    "longshore_calls_running",
    "longshore_rollouts_driven",
    "longshore_locks_waited_for",
    "longshore_data_free_bytes",
    "longshore_certificate_expiry_timestamp_seconds",
}


@pytest.fixture(params=QUERIES, ids=lambda query: f"{query.where}: {query.shown}")
def query(request: pytest.FixtureRequest) -> Query:
    found: Query = request.param
    return found


def test_it_reads_metrics_that_there_are(query: Query, known: dict[str, set[str]]) -> None:
    assert query.selectors, "it reads nothing"
    for selector in query.selectors:
        assert selector.metric in known.keys() | ADDED_BY_NODE, f"{query.text}: no {selector.metric}"


def test_its_labels_are_those_of_its_metrics(query: Query, known: dict[str, set[str]]) -> None:
    there = ADDED.union(*(known.get(selector.metric, set()) for selector in query.selectors))
    assert query.grouped_by <= there, query.text
    for selector in query.selectors:
        for label, _, _ in selector.matchers:
            assert label in known.get(selector.metric, set()) | ADDED, f"{query.text}: no label {label}"


def test_the_words_that_it_looks_for_exist(query: Query) -> None:
    for selector in query.selectors:
        for label, _, words in selector.matchers:
            if words.startswith("$"):
                continue
            there = VALUES[selector.metric, label]
            assert set(words.split("|")) <= there, query.text


def test_what_it_shows_is_left_when_it_has_grouped(query: Query) -> None:
    shown = {*re.findall(r"\$labels\.(\w+)", query.shown), *re.findall(r"\{\{(\w+)\}\}", query.shown)}
    gathers = re.search(r"\b(sum|max|min|avg|count)\b", query.text)
    assert shown <= (query.grouped_by if gathers else ADDED | {"dependency"})


def test_its_brackets_close(query: Query) -> None:
    for opening, closing in ("()", "{}", "[]"):
        assert query.text.count(opening) == query.text.count(closing), query.text


def test_a_histogram_is_read_by_its_buckets(query: Query) -> None:
    if "histogram_quantile" in query.text:
        assert "_bucket" in query.text
        assert "le" in query.grouped_by
    # A counter as it stands says how long the process has run.
    for selector in query.selectors:
        if selector.metric.endswith(("_total", "_bucket", "_count", "_sum")):
            assert re.search(rf"(rate|increase)\({selector.metric}", query.text), query.text


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_an_alert_leads_to_what_to_do(alert: dict[str, typing.Any]) -> None:
    assert alert["labels"]["severity"] in {"info", "warning", "critical"}
    assert re.fullmatch(r"\d+[smh]", alert.get("for", "5m"))
    name, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert anchor == alert["alert"].lower()
    assert anchor in page(name).anchors


def test_every_runbook_has_its_alert() -> None:
    headings = {anchor for anchor in page("docs/operations.md").anchors if anchor.startswith("longshore")}
    names = [alert["alert"].lower() for alert in alerts()]
    assert sorted(names) == sorted(headings)


def test_what_prometheus_reads_is_what_the_alerts_expect() -> None:
    scraping = yaml.safe_load((MONITORING / "prometheus.yaml").read_text())
    assert all((MONITORING / name).is_file() for name in scraping["rule_files"])
    assert [job["job_name"] for job in scraping["scrape_configs"]] == ["longshore"]


def test_the_dashboard_has_each_panel_once_and_none_over_another() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, f"{panel['title']} lies over another panel"
        taken |= cells


def test_every_metric_of_ours_is_on_the_dashboard(known: dict[str, set[str]]) -> None:
    """Those of its histograms by one of their series."""
    read = {selector.metric for query in QUERIES for selector in query.selectors}
    ours = {name for name in known if name.startswith("longshore_")} | ADDED_BY_NODE
    shown = {re.sub(r"_(bucket|count|sum)$", "", name) for name in read}
    assert {name for name in ours if re.sub(r"_(bucket|count|sum)$", "", name) not in shown} == set()


def test_a_wrong_query_would_be_found(known: dict[str, set[str]]) -> None:
    wrong = Query("", 'sum by (kind) (rate(longshore_calls_totals{methd="x"}[5m]))', "")
    (selector,) = wrong.selectors
    assert selector.metric not in known
    assert selector.matchers == (("methd", "=", "x"),)
    assert wrong.grouped_by == {"kind"}
