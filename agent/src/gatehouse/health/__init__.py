"""Whether services answer."""
