"""The agent's state, under /var/lib/gatehouse."""
