"""One module per kind of study: they compose the stages and compute nothing themselves."""
