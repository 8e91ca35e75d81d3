"""Features to models, on the training set only: cleaning, selection, fusion, classifiers, tuning and fitting."""
