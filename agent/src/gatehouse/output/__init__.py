"""The output of the agent."""
