"""From fields to plans: the best placement, and how sure its numbers are."""
