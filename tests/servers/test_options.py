"""Options out of range are refused by name."""

from typing import Any

import pytest

from servers.settings.options import ServerOptions


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("--port", {"port": -1}),
        ("--port", {"port": 65_536}),
        ("--http2-port", {"http2_port": 70_000}),
        ("--tls-cert", {"tls_cert": "cert.pem"}),
        ("--tls-cert", {"tls_key": "key.pem"}),
        ("--schedule", {"schedule": "sometimes"}),
        ("--start-at-ns", {"start_at_ns": -1}),
        ("--message-bytes", {"message_bytes": -1}),
        ("--message-bytes", {"message_bytes": 1_000_001}),
        ("--history", {"history": 0}),
        ("--history-bytes", {"history_bytes": 1_999_999}),
        ("--hold-timeout", {"hold_timeout_s": 0.5}),
        ("--hold-timeout", {"hold_timeout_s": 301.0}),
        ("--hold-timeout", {"hold_timeout_s": float("nan")}),
        ("--heartbeat", {"heartbeat_s": 0.01}),
        ("--max-held", {"max_held": -1}),
        ("--rate-limit", {"rate_limit_per_s": -0.5}),
        ("--rate-limit", {"rate_limit_per_s": float("inf")}),
        ("--token", {"token": 'quote"'}),
        ("--token", {"token": "new\nline"}),
        ("--send-buffer", {"send_buffer_bytes": -1}),
        ("--fault", {"fault": "drop:2"}),
        ("--fault-journal", {"fault_journal": "faults.csv"}),
        ("--history", {"fault": "drop:0.1", "history": 255}),
        ("--keep", {"keep": "kept", "feed": "redis-stream", "redis": "redis://127.0.0.1"}),
        ("--page", {"page": "pull"}),
        ("--page-think", {"page_think_s": -1.0}),
    ],
)
def test_a_value_out_of_range_is_refused_by_the_name_of_its_option(option: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{option} "):
        ServerOptions(**values)


def test_the_defaults_are_in_range() -> None:
    assert ServerOptions().host == "127.0.0.1"
