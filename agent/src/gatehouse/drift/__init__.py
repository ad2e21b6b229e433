"""How the host differs from what was applied."""
