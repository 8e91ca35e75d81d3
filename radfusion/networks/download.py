"""Downloads that go on where they broke off."""

from __future__ import annotations

import http
import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Literal

from radfusion.errors import WeightsError
from radfusion.execution.progress import Progress

__all__ = ["download"]

_BLOCK = 1 << 20
_PAGE = "instead of the file a web page came from"
_WEB_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|head)", re.IGNORECASE)


def download(url: str, part: Path, *, resume: bool, timeout: float, progress: Progress) -> None:
    """Bring what there is of a file to its whole length.

    Parameters
    ----------
    url : str
        Public address.
    part : pathlib.Path
        What there is already, and what is added to. It stays when the connection breaks, for the next call.
    resume : bool
        Ask only for what is missing. A server that sends everything all the same is taken at its word.
    timeout : float
        Seconds without an answer after which the download is given up.
    progress : Progress
        Told of every MiB.

    Raises
    ------
    WeightsError
        When the server refuses, falls silent, hangs up or sends a web page, or when the disk takes no more.
    """
    begun = part.stat().st_size if resume and part.is_file() else 0
    answer, begun = _ask(url, begun, timeout)
    with answer:
        if answer.headers.get_content_type() == "text/html":
            raise WeightsError(f"{_PAGE} {url}")
        whole = None if answer.length is None else begun + answer.length
        progress.start(f"fetch {part.stem.lstrip('.')}", -(-(whole or 0) // _BLOCK))
        progress.advance(begun // _BLOCK)
        blocks = _blocks(answer, begun)
        first = next(blocks, b"")
        if not begun and _WEB_PAGE.match(first):
            raise WeightsError(f"{_PAGE} {url}")
        received = begun + _write(part, chain([first], blocks), mode="ab" if begun else "wb", progress=progress)
    if whole is not None and received < whole:
        raise WeightsError(f"{received:,} of {whole:,} bytes came, then the server hung up")
    progress.finish(f"{received / 1e6:.1f} MB")


def _ask(url: str, begun: int, timeout: float) -> tuple[http.client.HTTPResponse, int]:
    """Answer of the server, and the byte that it begins at."""
    headers = {"User-Agent": "radfusion"} | ({"Range": f"bytes={begun}-"} if begun else {})
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if begun and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _ask(url, 0, timeout)
        raise WeightsError(f"the server answers {error.code} {error.reason} for {url}") from error
    except (OSError, http.client.HTTPException) as error:
        raise WeightsError(f"{url} could not be reached ({getattr(error, 'reason', error)})") from error
    if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
        return answer, 0
    if answer.headers.get("Content-Range", "").startswith(f"bytes {begun}-"):
        return answer, begun
    answer.close()
    return _ask(url, 0, timeout)


def _blocks(answer: http.client.HTTPResponse, received: int) -> Iterator[bytes]:
    try:
        while block := answer.read(_BLOCK):
            received += len(block)
            yield block
    except (OSError, http.client.HTTPException) as error:
        raise WeightsError(f"the connection broke after {received:,} bytes ({error})") from error


def _write(part: Path, blocks: Iterable[bytes], *, mode: Literal["wb", "ab"], progress: Progress) -> int:
    """Number of bytes that were written; nothing stays of a file that the disk does not take."""
    written = 0
    try:
        with part.open(mode) as file:
            for block in blocks:
                written += file.write(block)
                progress.advance()
    except OSError as error:
        part.unlink(missing_ok=True)
        raise WeightsError(f"the disk takes no more ({error.strerror}); nothing was kept") from error
    return written
