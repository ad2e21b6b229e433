"""What the agent remembers, under /var/lib/gatehouse."""
