"""What each kind of result says, as blocks of `inspect_cost.reports.document`; no format is here.

Results are imported for their types alone, so that showing one does not load all that makes others.
"""
