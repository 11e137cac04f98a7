"""Budgeted selection: candidates get epochs in rounds and are dropped on the way."""
