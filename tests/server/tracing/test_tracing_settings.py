from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from longshore_server.settings import TracingSettings, load_settings
from longshore_storage.errors import Misconfigured

SECRET = "hunter2-is-a-secret"


@pytest.mark.parametrize(
    ("endpoint", "target", "encrypted"),
    [
        ("http://127.0.0.1:4317", "127.0.0.1:4317", False),
        ("https://collector.example", "collector.example:4317", True),
        ("https://collector.example:443/", "collector.example:443", True),
        ("http://[::1]:4317", "[::1]:4317", False),
        ("http://[::1]", "[::1]:4317", False),
    ],
)
def test_an_endpoint_tells_where_and_whether_encrypted(
    endpoint: str, target: str, *, encrypted: bool
) -> None:
    settings = TracingSettings(endpoint=endpoint)
    assert (settings.target, settings.encrypted) == (target, encrypted)


def test_headers_are_those_of_the_standard(tmp_path: Path) -> None:
    (tmp_path / "headers").write_text("Authorization=Bearer%20a%2Cb, x-team = web \n")
    settings = TracingSettings(endpoint="https://there", headers_file=tmp_path / "headers")
    assert settings.metadata == (("authorization", "Bearer a,b"), ("x-team", "web"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"endpoint": "collector:4317"}, "must be like https://HOST:4317"),
        ({"endpoint": "ftp://collector:4317"}, "must be like https://HOST:4317"),
        ({"endpoint": "http://collector:4318/v1/traces"}, "must be like https://HOST:4317"),
        ({"endpoint": "http://collector:port"}, "must be like https://HOST:4317"),
        ({"endpoint": f"https://user:{SECRET}@collector"}, "must be without a user"),
        ({"endpoint": "http://collector", "headers": f"a={SECRET}"}, "others on the way can read"),
        ({"endpoint": "https://collector", "headers": SECRET}, "must be like authorization="),
        ({"endpoint": "https://collector", "headers": f"a b={SECRET}"}, "must be like authorization="),
        ({"endpoint": "https://collector", "headers": f"a-bin={SECRET}"}, "must be like authorization="),
        ({"endpoint": "https://collector", "headers": f"a={SECRET}%0A"}, "must be like authorization="),
        ({"endpoint": "http://127.0.0.1", "ca_file": "ca.pem"}, "goes with an `endpoint` that is https://"),
        ({"sample_ratio": 2}, "less than or equal to 1"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value),
)
def test_what_cannot_be_is_refused_without_its_secret(given: dict[str, Any], said: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        load_settings(None, {"tracing": given})
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)
