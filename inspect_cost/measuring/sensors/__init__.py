"""Energy sensors: one file per source, all behind the protocol in `protocol`."""
