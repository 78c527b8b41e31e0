"""Ground floor: constants, errors, argument checks and rigid poses. Imports nothing of ours."""
