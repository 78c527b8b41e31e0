"""Poses of navigators and other programs, one file per format, all in our convention once read."""
