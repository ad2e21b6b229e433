"""A release as a transaction."""
