"""Cohort tables: checks, splitting, description, simulation."""
