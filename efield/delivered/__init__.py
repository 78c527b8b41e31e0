"""What was done: the field of pulses that were recorded, and what it explains of the responses."""
