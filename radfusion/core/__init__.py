"""The nouns that flow through a study: numpy, pandas and pydantic only."""
