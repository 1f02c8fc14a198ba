"""Memory of one call, measured in a process of its own."""
