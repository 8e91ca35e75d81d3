import hashlib
import re
import resource
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context

import pytest
import torch

from radfusion.errors import UnknownNameError, WeightsError
from radfusion.execution.progress import Progress
from radfusion.networks.sources import WEIGHTS
from radfusion.networks.weights import (
    default_weights_folder,
    fetch_weights,
    find_weights,
    how_to_get,
    import_weights,
    verify_weights,
)

CONTENT = bytes(range(256)) * 9000
GOOD = hashlib.sha256(CONTENT).hexdigest()
CUT = 1_500_000
PAGE = b"<!DOCTYPE html><title>Sign in</title>"


class Answers(BaseHTTPRequestHandler):
    """What servers do, by the path; a request for the rest of a file is answered from there unless `/deaf`."""

    def do_GET(self):
        self.server.ranges.append(self.headers.get("Range"))
        if self.path == "/slow":
            self.server.released.wait(5)
        if self.path in {"/page", "/portal"}:
            return self.answer(PAGE, kind="text/html" if self.path == "/page" else "application/octet-stream")
        if self.path == "/absent":
            return self.send_error(404)
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1]) if self.path != "/deaf" else 0
        if start >= len(self.server.content):
            return self.send_error(416)
        cut = self.path == "/cut" and not start
        return self.answer(self.server.content[start:], start=start, sent=CUT if cut else None)

    def answer(self, body, *, kind="application/octet-stream", start=0, sent=None):
        self.send_response(206 if start else 200)
        if start:
            last = start + len(body) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{start + len(body)}")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:sent])

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


@contextmanager
def serving(content):
    running = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    running.released, running.ranges, running.content = threading.Event(), [], content
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    try:
        yield running
    finally:
        running.released.set()
        running.shutdown()
        running.server_close()
        thread.join()


@pytest.fixture
def server():
    with serving(CONTENT) as running:
        yield running


def at(server, path, name="imagenet", **changes):
    """A source whose file lies on the server."""
    url = f"http://127.0.0.1:{server.server_port}{path}"
    known = {"url": url, "size": len(server.content), "sha256": (GOOD,)} | changes
    return replace(WEIGHTS[name], files=(replace(WEIGHTS[name].files[0], **known),))


def kept(source):
    """Files beside the lock that a source left in the cache."""
    folder = default_weights_folder() / source.name
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_files_are_found_in_order(tmp_path, monkeypatch):
    source = WEIGHTS["radimagenet"]
    assert find_weights(source) is None
    own, cached = tmp_path / "own", default_weights_folder()
    monkeypatch.setenv("RADFUSION_WEIGHTS", str(own))
    for path in (cached / "ResNet50.pt", cached / source.name / "ResNet50.pt", own / "ResNet50.pt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        assert find_weights(source) == path
    named = tmp_path / "my.pt"
    named.touch()
    assert find_weights(source, file=named) == named


def test_files_of_one_name_are_told_apart_by_their_folders():
    assert WEIGHTS["vicreg"].files[0].name == WEIGHTS["barlow-twins"].files[0].name
    path = default_weights_folder() / "vicreg" / "resnet50.pth"
    path.parent.mkdir(parents=True)
    path.touch()
    assert find_weights(WEIGHTS["vicreg"]) == path
    assert find_weights(WEIGHTS["barlow-twins"]) is None


def test_a_named_file_must_be_there(tmp_path):
    with pytest.raises(WeightsError, match=r"'imagenet': .*absent\.pth is not a file"):
        find_weights(WEIGHTS["imagenet"], file=tmp_path / "absent.pth")


def test_random_weights_have_no_file(tmp_path):
    source, file = WEIGHTS["random"], tmp_path / "any.pth"
    assert find_weights(source) is None
    with pytest.raises(WeightsError, match="'random' are drawn"):
        find_weights(source, file=file)
    for use in (verify_weights, import_weights):
        with pytest.raises(WeightsError, match="'random' are drawn"):
            use(source, file)
    with pytest.raises(WeightsError, match="'random' are drawn"):
        fetch_weights(source)


def test_a_source_is_asked_for_a_network_that_it_has():
    with pytest.raises(WeightsError, match="'imagenet-v2' have no file for vgg16; there are files for resnet50, "):
        fetch_weights(WEIGHTS["imagenet-v2"], "vgg16")
    with pytest.raises(UnknownNameError, match="did you mean 'vgg16'"):
        fetch_weights(WEIGHTS["imagenet"], "vgg61")


def test_a_file_is_fetched_whole_and_only_once(server):
    source, notes = at(server, "/whole"), Notes()
    target = fetch_weights(source, progress=notes)
    assert target.read_bytes() == CONTENT
    assert target == find_weights(source)
    assert notes.said == [f"fetching weights 'imagenet': 2.3 MB from {source.files[0].url}"]
    assert notes.steps == 3
    assert fetch_weights(at(server, "/absent"), progress=notes) == target
    assert len(notes.said) == 1


def test_a_damaged_copy_is_fetched_again(server):
    source = at(server, "/whole")
    fetch_weights(source).write_bytes(CONTENT[:100])
    assert fetch_weights(source).read_bytes() == CONTENT


def test_a_download_goes_on_where_it_broke_off(server):
    source, notes = at(server, "/cut"), Notes()
    with pytest.raises(WeightsError, match="1,500,000 of 2,304,000 bytes came, then the server hung up; what came is"):
        fetch_weights(source)
    assert kept(source) == [".resnet50-0676ba61.pth.part"]
    assert fetch_weights(source, progress=notes).read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={CUT}-"]
    assert notes.steps == 2
    assert kept(source) == ["resnet50-0676ba61.pth"]


@pytest.mark.parametrize(
    ("path", "there", "asked"),
    [
        ("/deaf", CONTENT[:CUT], [f"bytes={CUT}-"]),  # sends everything whatever it is asked
        ("/whole", CONTENT + b"more", [f"bytes={len(CONTENT) + 4}-", None]),  # answers 416
        ("/whole", CONTENT, []),  # only the renaming was left to do
    ],
)
def test_what_is_there_of_a_file_is_used_only_where_it_fits(server, path, there, asked):
    source = at(server, path)
    part = default_weights_folder() / "imagenet" / ".resnet50-0676ba61.pth.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(there)
    assert fetch_weights(source).read_bytes() == CONTENT
    assert server.ranges == asked


def test_the_hash_is_of_the_whole_file_not_of_its_rest(server):
    source = at(server, "/whole")
    part = default_weights_folder() / "imagenet" / ".resnet50-0676ba61.pth.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * CUT)
    with pytest.raises(WeightsError, match=r"2,304,000 bytes came from .*; nothing was kept"):
        fetch_weights(source)
    assert kept(source) == []


@pytest.mark.parametrize(
    ("path", "known", "words"),
    [
        ("/whole", "0" * 64, f"with SHA-256 {GOOD}, not {'0' * 64}; nothing was kept"),
        ("/whole", "0" * 8, f"with SHA-256 {GOOD}, not 00000000...; nothing was kept"),
        ("/absent", GOOD, "the server answers 404 Not Found for http.*radfusion weights import imagenet"),
        ("/slow", GOOD, "could not be reached \\(.*timed out"),
        ("/page", GOOD, "instead of the file a web page came from http"),
        ("/portal", GOOD, "instead of the file a web page came from http"),
    ],
)
def test_a_failed_download_leaves_nothing(server, path, known, words):
    source = at(server, path, sha256=(known,))
    with pytest.raises(WeightsError, match=words):
        fetch_weights(source, timeout=0.5)
    assert kept(source) == []


def test_a_full_disk_is_named_and_left_clean(server):
    source = at(server, "/whole")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (CUT, limits[1]))
    try:
        with pytest.raises(WeightsError, match=r"the disk takes no more \(File too large\); nothing was kept"):
            fetch_weights(source)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert kept(source) == []
    with pytest.raises(WeightsError, match=r"the disk of the cache has .* MB left, the file needs 1000000000000 MB"):
        fetch_weights(at(server, "/whole", size=10**18))


def test_a_file_without_a_published_hash_is_proved_by_its_tensors(names, save):
    path, notes = save(names), Notes()
    with serving(path.read_bytes()) as server:
        source = at(server, "/whole", "dino", sha256=())
        assert fetch_weights(source, progress=notes).read_bytes() == path.read_bytes()
    assert hashlib.sha256(path.read_bytes()).hexdigest() in notes.said[-1]
    with serving(CONTENT) as server:
        other = replace(at(server, "/cut", "dino", sha256=()), name="other")
        for words in ("the server hung up. Without", "not a file that|damaged|neither"):
            with pytest.raises(WeightsError, match=words):
                fetch_weights(other)
            other = replace(at(server, "/whole", "dino", sha256=()), name="other")
    assert server.ranges == [None, None]
    assert kept(other) == []


def test_two_processes_fetch_a_file_once(server):
    source = at(server, "/whole")
    with get_context("spawn").Pool(2) as pool:
        first, second = pool.map(fetch_weights, [source, source])
    assert first == second
    assert first.read_bytes() == CONTENT
    assert server.ranges == [None]


def test_without_a_network_the_user_is_told_what_to_bring(server):
    source = at(server, "/whole")
    server.shutdown()
    server.server_close()
    with pytest.raises(WeightsError, match=r"refused.*\. Without a network, bring http") as caught:
        fetch_weights(source)
    for words in (GOOD, "radfusion weights import imagenet resnet50-0676ba61.pth", "$RADFUSION_WEIGHTS/imagenet"):
        assert words in str(caught.value)


def test_a_cache_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(WeightsError, match="'imagenet': nothing can be kept in the cache: "):
        fetch_weights(at(server, "/whole"))


@pytest.mark.parametrize("name", ["radimagenet", "radimagenet-keras", "imagenet-caffe"])
def test_a_source_without_an_address_is_brought_by_the_user(name):
    with pytest.raises(WeightsError, match=f"cannot be fetched: .* `radfusion weights import {name} "):
        fetch_weights(WEIGHTS[name])


@pytest.mark.parametrize(("name", "network"), [(name, net) for name in WEIGHTS for net in WEIGHTS[name].networks])
def test_how_to_get_names_file_hash_command_and_place(name, network):
    source, form = WEIGHTS[name], WEIGHTS[name].files_of(network)[0]
    told = how_to_get(source, network)
    option = "" if network == "resnet50" else f" --network {network}"
    assert f"radfusion weights import {name} {form.name}{option}`" in told
    assert f"$RADFUSION_WEIGHTS/{name}" in told
    assert all(known in told for known in form.sha256)
    assert form.url is None or (form.url in told and f"`radfusion weights fetch {name}{option}`" in told)


def test_an_imported_file_is_found_from_then_on(save, backbone_names):
    source, notes = WEIGHTS["radimagenet"], Notes()
    path = save(backbone_names)
    target = import_weights(source, path, progress=notes)
    assert target == find_weights(source) == default_weights_folder() / "radimagenet" / "ResNet50.pt"
    assert target.read_bytes() == path.read_bytes()
    assert hashlib.sha256(path.read_bytes()).hexdigest() in notes.said[0]
    assert import_weights(source, path) == import_weights(source, target) == target


def test_an_imported_file_is_not_replaced_by_another(save, backbone_names):
    source = WEIGHTS["radimagenet"]
    first = import_weights(source, save(backbone_names)).read_bytes()
    other = {name: tensor + 1 for name, tensor in backbone_names.items()}
    with pytest.raises(WeightsError, match=r"another ResNet50\.pt is kept already, SHA-256 .*delete the file"):
        import_weights(source, save(other))
    assert find_weights(source).read_bytes() == first


def test_a_refused_file_is_not_imported(save, names):
    with pytest.raises(WeightsError, match="layout 'torchvision'"):
        import_weights(WEIGHTS["radimagenet"], save(names))
    assert find_weights(WEIGHTS["radimagenet"]) is None


def test_an_imported_form_gets_its_own_name(save, names):
    biases = {
        name.replace(".weight", ".bias"): torch.tensor(0.5).expand(tensor.shape[0])
        for name, tensor in names.items()
        if re.search(r"(conv\d|downsample\.0)\.weight$", name)
    }
    port = {name: tensor for name, tensor in (names | biases).items() if not name.startswith("fc.")}
    assert import_weights(WEIGHTS["radimagenet-keras"], save(port)).name == "RadImageNet-ResNet50_notop.pth"


@pytest.mark.data
def test_a_file_of_another_source_is_named(shared):
    file = next((shared / "weights").glob("*.pt"))
    with pytest.raises(WeightsError, match=r"this is resnet50_caffe.* `weights: imagenet-caffe`"):
        verify_weights(WEIGHTS["radimagenet"], file)
    assert verify_weights(WEIGHTS["imagenet-caffe"], file)["hash_known"]


def test_a_file_that_is_not_there_is_not_verified(tmp_path):
    with pytest.raises(WeightsError, match=r"absent\.pt is not a file"):
        verify_weights(WEIGHTS["imagenet"], tmp_path / "absent.pt")
