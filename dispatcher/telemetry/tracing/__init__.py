"""Traces of turns in OpenTelemetry's form, off unless OTEL_EXPORTER_OTLP_ENDPOINT names a collector.

`spans` maps what a turn recorded to spans and is pure, `tracer` holds the few touch points of fronts and
workers, `otlp_export` is the only module that knows the SDK. Never words of a user.
"""
