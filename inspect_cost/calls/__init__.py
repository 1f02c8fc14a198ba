"""One call of a model: its arguments, where it runs, in which type."""
