"""Checks whether services are healthy."""
