"""Values that everything else is made of: quantities, costs, units, policies, errors."""
