"""The whole report: same bytes, nothing from elsewhere, nothing unescaped, nothing that is no number."""

import csv
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from radfusion.core.hashing import file_hash
from radfusion.core.results import Estimate, Exclusion, FeatureSource, OutputFile, StudyResults
from radfusion.report.sections import SECTIONS
from radfusion.report.write import write_report

HOSTILE = "<script>alert('$x_1$')</script>"


class Page(HTMLParser):
    """Tags, addresses that a browser would load, links, and visible text of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.loads, self.links, self.words, self._open = set(), [], [], [], []
        self.feed(html)

    @property
    def text(self):
        return " ".join(self.words)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self._open.append(tag)
        found = [value for name, value in attributes if name in {"src", "href", "xlink:href", "srcset", "data"}]
        (self.links if tag == "a" else self.loads).extend(found)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if "style" not in self._open:
            self.words.append(data.strip())


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def page(written):
    return Page((written / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def hostile(binary, fast, tmp_path_factory):
    """Two classes, hostile words wherever a user's words come in, and an AUC that cannot be estimated."""
    study = binary.study.model_copy(update={"title": HOSTILE, "class_names": {"0": HOSTILE, "1": "b & <i>"}})
    final, missing = binary.final_model, "no case of the class"
    estimates = [
        Estimate(metric=each.metric, value=None, model=each.model, set=each.set, class_=each.class_, reason=missing)
        if (each.model, each.set) == (final, "external")
        else each
        for each in binary.estimates
    ]
    comparisons = [
        each.model_copy(update=dict.fromkeys(("difference", "low", "high", "p", "p_adjusted")) | {"reason": HOSTILE})
        if each.role == "primary"
        else each
        for each in binary.comparisons
    ]
    changed = binary.model_copy(
        update={
            "study": study,
            "exclusions": (Exclusion(case=HOSTILE, stage=HOSTILE, reason=HOSTILE),),
            "sources": (*binary.sources, FeatureSource(name=HOSTILE, kind="deep", n_features=0, available=False)),
            "estimates": tuple(estimates),
            "comparisons": tuple(comparisons),
        }
    )
    out = tmp_path_factory.mktemp("hostile")
    write_report(changed, out, style=fast)
    return Page((out / "report.html").read_text(encoding="utf-8"))


def test_a_second_render_from_results_json_gives_the_same_bytes(results, written, fast, tmp_path):
    rendered = tuple(OutputFile(path=path, sha256=file_hash(written / path)) for path in files_of(written))
    text = results.model_copy(update={"files": rendered}).to_json()
    listed = write_report(StudyResults.model_validate_json(text), tmp_path, style=fast)
    assert files_of(tmp_path) == files_of(written)
    assert {each.path: each.sha256 for each in listed} == {each.path: each.sha256 for each in rendered}


def test_a_page_needs_no_script_and_no_network(page):
    assert "script" not in page.tags
    assert not page.tags & {"link", "iframe", "object", "embed", "img"}
    assert all(address.startswith("#") for address in page.loads)
    assert all(address.startswith(("#", "https://doi.org/")) for address in page.links)
    assert any(address.startswith("https://doi.org/") for address in page.links)


def test_styles_load_nothing(written):
    html = (written / "report.html").read_text(encoding="utf-8")
    assert "@import" not in html
    assert set(re.findall(r"url\((.)", html)) <= {"#"}


def test_every_section_is_on_the_page_and_in_the_contents(page, written):
    html = (written / "report.html").read_text(encoding="utf-8")
    concerned = {name: each for name, each in SECTIONS.items().items() if name not in {"pretraining", "self_test"}}
    for name, section in concerned.items():
        assert f'<section id="{name}">' in html
        assert f"#{name}" in page.links
        assert section.title in page.text


def test_users_words_are_escaped(hostile):
    assert "script" not in hostile.tags
    assert HOSTILE in hostile.text


def test_what_cannot_be_estimated_prints_its_reason_and_never_nan(hostile, page):
    assert "not estimable (no case of the class)" in hostile.text
    assert f"not estimable ({HOSTILE})" in hostile.text
    for each in (hostile, page):
        assert not re.search(r"\b(nan|NaN|inf|None|undefined)\b", each.text)


def test_every_figure_has_three_forms_and_its_numbers(written):
    names = {path.stem for path in (written / "figures").iterdir()}
    assert {"flow", "lasso_deviance", "roc", "differences", "confusion"} <= names
    for name in names:
        assert {path.suffix for path in (written / "figures").glob(f"{name}.*")} == {".svg", ".pdf", ".png", ".csv"}


def test_csv_of_curves_holds_the_plotted_numbers_unrounded(results, written):
    with (written / "figures" / "roc.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    curve = next(each for each in results.curves if each.class_ is None)
    found = [row for row in rows if (row["model"], row["set"], row["class"]) == (curve.model, curve.set, "macro")]
    assert [float(row["one_minus_specificity"]) for row in found] == list(curve.x)
    assert [float(row["sensitivity"]) for row in found] == list(curve.y)


def test_csv_of_all_aucs_holds_every_estimate(results, written):
    with (written / "tables" / "auc_all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    estimates = [each for each in results.estimates if each.metric in {"auc", "macro_auc"}]
    assert [float(row["value"]) for row in rows] == [each.value for each in estimates]


def test_numbers_point_into_results_json(results, written):
    html = (written / "report.html").read_text(encoding="utf-8")
    tree = results.model_dump(mode="json", by_alias=True)
    pointers = set(re.findall(r'data-ref="([^"]+)"', html))
    assert len(pointers) > 200
    for pointer in pointers:
        node = tree
        for key in pointer.strip("/").split("/"):
            node = node[int(key)] if isinstance(node, list) else node[key]


def test_methods_text_marks_every_fact_that_the_authors_must_give(written, page):
    text = (written / "methods.md").read_text(encoding="utf-8")
    places = set(re.findall(r"\[AUTHOR: ([^\]]+)\]", text)) - {"..."}
    assert "ethics committee and number" in places
    assert f"{len(places)} open" in page.text


def test_a_nearly_empty_study_still_has_a_report(results, fast, tmp_path):
    bare = StudyResults(study=results.study, sets=results.sets[:1], provenance=results.provenance)
    write_report(bare, tmp_path, style=fast)
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "No final model" in text or "could not be tested" in text


def test_importing_the_report_loads_no_drawing_library():
    code = "import sys, radfusion.report; print({'matplotlib', 'jinja2', 'torch', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
