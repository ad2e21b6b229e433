"""The documents and answers that the program and the agent exchange."""
