"""Extractors: each is its frozen settings object, so that it travels to any worker and names its own cache entries."""
