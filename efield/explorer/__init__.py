"""The explorer: a page in a browser where a coil is moved and the field follows; served on this machine."""
