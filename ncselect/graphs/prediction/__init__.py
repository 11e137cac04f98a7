"""From the signatures of the first epochs to the final accuracy, beside what needs no graph."""
