"""Energy and CO2e of training a model, from hardware and hours or from a tracker's files."""
