"""Drift: how the host differs from the last applied state."""
