"""Other counters on the same call, and every difference to ours explained from their own tallies.

A peer tells what it counted, operator by operator or layer by layer (`peers`); that is set against
ours module by module (`comparison`), and each gap is given the reasons that its evidence bears out
(`explanation`). What is left over is shown as unexplained, with its amount.
"""
