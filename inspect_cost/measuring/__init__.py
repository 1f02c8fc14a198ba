"""Measuring one inference: sensors, the protocol of windows, latency and memory."""
