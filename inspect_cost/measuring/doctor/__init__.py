"""Which sensors this machine has, and whether they tell the truth."""
