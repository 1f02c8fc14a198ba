"""What training a model cost in energy and CO2e: from hardware and hours, or a tracker's files."""
