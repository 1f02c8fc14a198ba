"""Counting a model: watch the operators that it calls, look up what each costs, add up."""
