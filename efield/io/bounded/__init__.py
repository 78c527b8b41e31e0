"""Reading that a damaged file cannot lead astray: bounded memory, clear errors."""
