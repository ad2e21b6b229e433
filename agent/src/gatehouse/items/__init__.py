"""What exists once on a host: accounts, groups, packages."""
