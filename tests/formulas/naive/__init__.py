"""Operators by the textbook, with loops over counted scalars; one file for each family."""
