"""Publications on models: their qualities and trainings."""
