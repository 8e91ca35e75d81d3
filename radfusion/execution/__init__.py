"""Where work runs: executors, cache, progress, provenance. Knows nothing of images."""
