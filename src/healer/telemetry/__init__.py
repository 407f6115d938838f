"""Logs, metrics, drift and traces of a running service."""
