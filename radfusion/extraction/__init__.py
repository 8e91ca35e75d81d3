"""Scans to feature tables."""
