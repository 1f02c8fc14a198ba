"""What chips draw and how clean electricity is: data rows with their sources."""
