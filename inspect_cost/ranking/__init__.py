"""Rankings of models: fronts of quality against cost, and how certain they are.

`ranking.rank` ranks plain numbers; `comparison.compare` ranks candidates, which `tables` reads from
files.
"""
