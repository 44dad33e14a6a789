"""Numbers for Prometheus and OpenTelemetry while a run is measured: read from the rows that load processes write."""
