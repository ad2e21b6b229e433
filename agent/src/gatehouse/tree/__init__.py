"""Files of the host as releases describe them."""
