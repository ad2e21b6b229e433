"""Accounts, groups and packages, which exist once on a host."""
