"""Access to the tools and the kernel of the host."""
