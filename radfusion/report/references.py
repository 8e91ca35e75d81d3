"""References of the methods that a study used."""

from __future__ import annotations

from radfusion.core.results import StudyResults

__all__ = ["cited"]

_ALWAYS = (
    ("Kocak B, et al. CheckList for EvaluAtion of Radiomics research (CLEAR). Insights Imaging 2023;14:75.",
     "10.1186/s13244-023-01415-8"),
    ("Collins GS, et al. TRIPOD+AI statement. BMJ 2024;385:e078378.", "10.1136/bmj-2023-078378"),
    ("DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated receiver operating "
     "characteristic curves. Biometrics 1988;44:837-845.", "10.2307/2531595"),
    ("Wilson EB. Probable inference, the law of succession, and statistical inference. J Am Stat Assoc "
     "1927;22:209-212.", "10.1080/01621459.1927.10502953"),
)  # fmt: skip
_RADIOMICS = (
    ("van Griethuysen JJM, et al. Computational radiomics system to decode the radiographic phenotype. Cancer Res "
     "2017;77:e104-e107.", "10.1158/0008-5472.CAN-17-0339"),
    ("Zwanenburg A, et al. The Image Biomarker Standardization Initiative. Radiology 2020;295:328-338.",
     "10.1148/radiol.2020191145"),
)  # fmt: skip
_LASSO = (
    ("Friedman J, Hastie T, Tibshirani R. Regularization paths for generalized linear models via coordinate descent. "
     "J Stat Softw 2010;33(1):1-22.", "10.18637/jss.v033.i01"),
)  # fmt: skip
_ICC = (
    ("McGraw KO, Wong SP. Forming inferences about some intraclass correlation coefficients. Psychol Methods "
     "1996;1:30-46.", "10.1037/1082-989X.1.1.30"),
    ("Koo TK, Li MY. A guideline of selecting and reporting intraclass correlation coefficients for reliability "
     "research. J Chiropr Med 2016;15:155-163.", "10.1016/j.jcm.2016.02.012"),
)  # fmt: skip
_PERTURBED = (
    ("Zwanenburg A, et al. Assessing robustness of radiomic features by image perturbation. Sci Rep 2019;9:614.",
     "10.1038/s41598-018-36938-4"),
)  # fmt: skip
_CONTROLS = (
    ("Welch ML, et al. Vulnerabilities of radiomic signature development: the need for safeguards. Radiother Oncol "
     "2019;130:2-9.", "10.1016/j.radonc.2018.10.027"),
)  # fmt: skip
_CLUSTERED = (
    ("Obuchowski NA. Nonparametric analysis of clustered ROC curve data. Biometrics 1997;53:567-578.",
     "10.2307/2533958"),
)  # fmt: skip
_HOLM = (("Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65-70.", ""),)
_YOUDEN = (
    ("Youden WJ. Index for rating diagnostic tests. Cancer 1950;3:32-35.",
     "10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3"),
)  # fmt: skip


def cited(results: StudyResults) -> tuple[tuple[str, str], ...]:
    """References as (text, DOI), only of what these results used; the DOI is empty where there is none."""
    kinds = {each.kind for each in results.sources if each.available and not each.imported}
    kinds |= {"radiomics" for each in results.sources if each.settings.get("format") in ("pyradiomics", "onekeyai")}
    steps = {step.name for each in results.selections for step in each.steps}
    groups = (
        (True, _ALWAYS),
        ("radiomics" in kinds, _RADIOMICS),
        (bool(results.stability), _ICC),
        (any(each.kind == "perturbations" for each in results.stability), _PERTURBED),
        (bool(results.controls), _CONTROLS),
        ("lasso" in steps, _LASSO),
        (any(each.n_patients < each.n_cases for each in results.sets), _CLUSTERED),
        (any(each.adjustment == "holm" for each in results.comparisons), _HOLM),
        (any(each.rule == "youden" for each in results.thresholds), _YOUDEN),
    )
    found = [reference for used, group in groups if used for reference in group]
    return tuple(dict.fromkeys([*found, *_weights(results)]))


def _weights(results: StudyResults) -> list[tuple[str, str]]:
    """References of the weights sources, whose DOI stands at the end of the text."""
    texts = [str((each.weights or {}).get("reference") or "") for each in results.sources if each.available]
    parts = [text.partition("doi:") for text in texts if text]
    return [(text.strip(), doi.strip().rstrip(".")) for text, _, doi in parts]
