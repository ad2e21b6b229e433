"""Accounts, groups, packages and keys, which exist once on a host."""
