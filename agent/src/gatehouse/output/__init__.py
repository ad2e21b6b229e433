"""What the agent prints."""
