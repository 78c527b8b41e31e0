"""Pictures. Nothing below imports this."""
