"""Where models stand: fronts of quality against cost, with their uncertainty, and their figures.

`ranking.rank` is the way in; `figures` and `interactive` draw what it gives; `sources` reads what
is to be ranked from files.
"""
