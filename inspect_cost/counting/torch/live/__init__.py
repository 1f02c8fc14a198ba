"""Counting the user's own code while it runs, on the user's own modules and values."""
