"""Networks as weighted graphs, and what their change in training says of the final accuracy."""
