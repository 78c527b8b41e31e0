"""Fast answers: the modes of a basis, the patch of scalp, reciprocity's stored potential."""
