"""The host's own tools and the kernel."""
