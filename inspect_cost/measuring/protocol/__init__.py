"""The window protocol: clock, windows, idle baseline, statistics."""
