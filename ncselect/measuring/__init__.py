"""A network taken apart and differentiated where neural capacitance is measured."""
