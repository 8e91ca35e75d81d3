"""ComBat against R's sva 3.46, every value: the fit applied to the cases it was fitted to."""

import numpy as np

from radfusion.modelling.harmonisation import ComBat
from tests.reference_values import agrees_with_r


@agrees_with_r("combat")
def combat(case):
    data, options = case["input"], case["options"]
    features = np.transpose(data["data_features_by_samples"])
    batches = np.array(data["batch"])
    columns = {"none": [], "class": ["class"], "class_age": ["class", "age"]}[options["covariates"]]
    covariates = np.transpose([data[name] for name in columns]) if columns else None
    shared = {
        "mean_only": options["mean_only"],
        "reference": None if options["ref_batch"] == "NA" else options["ref_batch"],
    }

    def harmonised(parametric, known):
        fitted = ComBat(parametric=parametric, **shared).fit(features, batches, known)
        return fitted.transform(features, batches, known).T

    return {
        "parametric": harmonised(True, covariates),
        "nonparametric": harmonised(False, covariates),
        "parametric_without_covariates": harmonised(True, None),
    }
