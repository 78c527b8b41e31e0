"""How hard: dose by field, published protocols, and what tables say of safety and feasibility."""
