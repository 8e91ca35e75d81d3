import hashlib
import os
import re
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from radfusion.errors import WeightsError
from radfusion.execution.progress import Progress
from radfusion.networks.weights import (
    WEIGHTS,
    default_weights_folder,
    fetch_weights,
    find_weights,
    import_weights,
    verify_weights,
)

CONTENT = bytes(range(256)) * 9000
GOOD = hashlib.sha256(CONTENT).hexdigest()


class Answers(BaseHTTPRequestHandler):
    """/whole sends the file, /cut hangs up in the middle, /slow never answers, anything else is not there."""

    def do_GET(self):
        if self.path == "/slow":
            self.server.released.wait(5)
        if self.path not in {"/whole", "/cut"}:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path == "/whole" else CONTENT[:1_500_000])
        return None

    def log_message(self, *_):
        pass


class Notes(Progress):
    def __init__(self):
        self.said, self.steps = [], 0

    def say(self, message):
        self.said.append(message)

    def advance(self, steps=1):
        self.steps += steps


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("RADFUSION_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RADFUSION_WEIGHTS", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server():
    running = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    running.released = threading.Event()
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield running
    running.released.set()
    running.shutdown()
    running.server_close()
    thread.join()


def at(server, path):
    url = f"http://127.0.0.1:{server.server_port}{path}"
    return replace(WEIGHTS["imagenet"], url=url, size=len(CONTENT), sha256=(GOOD,))


@pytest.mark.parametrize("source", WEIGHTS.items().values(), ids=list(WEIGHTS))
def test_every_source_says_what_a_report_needs(source):
    assert all(re.fullmatch(r"[0-9a-f]{64}", known) for known in source.sha256)
    assert "doi:10." in source.reference
    assert source.licence
    assert source.obtain
    assert (source.file_name is None) == (source.layout == "drawn") == (source.seed is not None)
    assert WEIGHTS[source.name] is source
    assert source.facts()["modalities"] == list(source.modalities)


@pytest.mark.parametrize("name", ["imagenet", "imagenet-v2"])
def test_torchvision_writes_the_start_of_the_hash_into_the_name(name):
    source = WEIGHTS[name]
    assert re.search(r"-([0-9a-f]{8})\.pth$", source.file_name).group(1) == source.sha256[0][:8]
    assert source.url.endswith(source.file_name)


def test_files_are_found_in_order(tmp_path, monkeypatch):
    source = WEIGHTS["radimagenet"]
    assert find_weights(source) is None
    cached, own, named = default_weights_folder() / "ResNet50.pt", tmp_path / "own" / "ResNet50.pt", tmp_path / "my.pt"
    monkeypatch.setenv("RADFUSION_WEIGHTS", str(own.parent))
    for path in (cached, own):
        path.parent.mkdir(parents=True)
        path.touch()
        assert find_weights(source) == path
    named.touch()
    assert find_weights(source, named) == named


def test_a_named_file_must_be_there(tmp_path):
    with pytest.raises(WeightsError, match=r"'imagenet': .*absent\.pth is not a file"):
        find_weights(WEIGHTS["imagenet"], tmp_path / "absent.pth")


def test_random_weights_have_no_file(tmp_path):
    source = WEIGHTS["random"]
    assert find_weights(source) is None
    for use in (find_weights, verify_weights, import_weights):
        with pytest.raises(WeightsError, match="'random' are drawn"):
            use(source, tmp_path / "any.pth")
    with pytest.raises(WeightsError, match="'random' are drawn"):
        fetch_weights(source)


def test_a_file_is_fetched_whole_and_only_once(server):
    source, notes = at(server, "/whole"), Notes()
    target = fetch_weights(source, progress=notes)
    assert target.read_bytes() == CONTENT
    assert target == find_weights(source)
    assert notes.said == [f"fetching weights 'imagenet': 2.3 MB from {source.url}"]
    assert notes.steps == 3
    assert fetch_weights(replace(source, url="http://127.0.0.1:1/"), progress=notes) == target
    assert len(notes.said) == 1


def test_a_damaged_copy_is_fetched_again(server):
    source = at(server, "/whole")
    fetch_weights(source).write_bytes(CONTENT[:100])
    assert fetch_weights(source).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "known", "words"),
    [
        ("/whole", "0" * 64, f"with SHA-256 {GOOD}, not {'0' * 64}; nothing was kept"),
        ("/cut", GOOD, r"could not be fetched|1,500,000 of 2,304,000 bytes"),
        ("/absent", GOOD, "could not be fetched \\(Not Found\\).*radfusion weights import imagenet"),
        ("/slow", GOOD, "could not be fetched \\(.*timed out"),
    ],
)
def test_a_failed_download_leaves_nothing(server, path, known, words):
    source = replace(at(server, path), sha256=(known,))
    with pytest.raises(WeightsError, match=words):
        fetch_weights(source, timeout=0.5)
    assert list(default_weights_folder().iterdir()) == []


def test_without_a_network_the_user_is_told_what_to_do(server):
    source = at(server, "/whole")
    server.shutdown()
    server.server_close()
    with pytest.raises(WeightsError, match=r"refused.*Without a network, bring the file: `radfusion weights import"):
        fetch_weights(source)


@pytest.mark.parametrize("name", ["radimagenet", "imagenet-caffe"])
def test_a_source_without_an_address_is_brought_by_the_user(name):
    with pytest.raises(WeightsError, match=f"cannot be fetched: .* `radfusion weights import {name} "):
        fetch_weights(WEIGHTS[name])


def test_an_imported_file_is_found_from_then_on(save, backbone_names):
    notes = Notes()
    path = save(backbone_names)
    assert import_weights(WEIGHTS["radimagenet"], path, progress=notes) == find_weights(WEIGHTS["radimagenet"])
    assert find_weights(WEIGHTS["radimagenet"]).read_bytes() == path.read_bytes()
    assert hashlib.sha256(path.read_bytes()).hexdigest() in notes.said[0]


def test_a_refused_file_is_not_imported(save, names):
    with pytest.raises(WeightsError, match="layout 'torchvision'"):
        import_weights(WEIGHTS["radimagenet"], save(names))
    assert not os.path.lexists(default_weights_folder() / "ResNet50.pt")
