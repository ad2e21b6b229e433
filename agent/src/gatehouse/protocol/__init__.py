"""What the program and the agent exchange."""
