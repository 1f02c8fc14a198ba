"""Power of chips and carbon intensity of electricity: data rows with their sources."""
