"""Textbook operators as loops over counted scalars, one file for each family."""
