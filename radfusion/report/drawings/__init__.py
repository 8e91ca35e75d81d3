"""One module per kind of figure: from plain rows of numbers and a style to a drawing."""
