"""Live navigation: poses come in, measures go out."""
