"""What is published of models: their qualities and trainings."""
