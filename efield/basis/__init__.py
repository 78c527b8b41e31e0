"""A certified reduced basis: the field of any placement over one patch of scalp, in about a millisecond."""
