"""The 2021 paper reproduced: what it prints, what follows from its inputs, what counting gives.

Douwes, Esling & Briot, "Energy Consumption of Deep Generative Audio Models", arXiv 2107.02621v1.
`reproduction.reproduce` recomputes all of it; `standing.find_standing` adds one more model. Both
rank facts that their caller supplies: this package counts nothing and reads no reports.
"""
