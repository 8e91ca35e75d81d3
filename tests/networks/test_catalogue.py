import shutil

import pytest

from radfusion.errors import UnknownNameError
from radfusion.networks.catalogue import describe_source, list_sources
from radfusion.networks.sources import WEIGHTS
from radfusion.networks.weights import default_weights_folder


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("RADFUSION_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RADFUSION_WEIGHTS", raising=False)


@pytest.mark.parametrize("width", [40, 100, 200])
def test_the_table_has_every_source_and_fits_the_terminal(width):
    lines = list_sources(width).splitlines()
    assert max(map(len, lines)) <= max(80, width)
    assert [line.split()[0] for line in lines[1:] if line and not line.startswith(" ")][: len(WEIGHTS)] == list(WEIGHTS)


def test_the_table_says_what_is_at_hand():
    path = default_weights_folder() / "radimagenet" / "DenseNet121.pt"
    assert "weights import radimagenet FILE" in list_sources(200)
    path.parent.mkdir(parents=True)
    path.touch()
    assert "at hand: densenet121" in list_sources(200)
    assert f"at hand: {path}" in describe_source("radimagenet")
    shutil.rmtree(path.parent)


@pytest.mark.parametrize("source", WEIGHTS.items().values(), ids=list(WEIGHTS))
def test_one_source_is_described_with_all_that_is_known(source):
    told = " ".join(describe_source(source.name).split())
    for words in (source.title, source.licence, source.reference, str(source.input), *source.modalities):
        assert words in told
    for form in source.files:
        assert all(known in told for known in (form.name, form.network, form.url or "", *form.sha256))


def test_an_unknown_source_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'vicreg'"):
        describe_source("vicreq")
