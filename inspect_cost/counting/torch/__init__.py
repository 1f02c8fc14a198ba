"""Counting PyTorch code: the dispatch mode, the stand-in model, the tables of operators."""
