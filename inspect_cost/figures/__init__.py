"""Figures of rankings and laws."""
