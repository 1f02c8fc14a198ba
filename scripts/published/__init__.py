"""Published tables of parameters and MACs, counted again."""
