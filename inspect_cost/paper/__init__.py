"""The 2021 paper reproduced: what it prints, what follows from its inputs, what counting gives.

Douwes, Esling & Briot, "Energy Consumption of Deep Generative Audio Models", arXiv 2107.02621v1.
`reproduction.reproduce` is the way in; `find_standing` tells where one more model stands.
"""
