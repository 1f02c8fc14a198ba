"""Diagnosis of a machine: which sensors it has, and whether their figures are right."""
