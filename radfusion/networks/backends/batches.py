"""Pictures of many items in full batches on all lanes, results lazily and in order."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray

from radfusion.errors import CaseError
from radfusion.networks.backends.base import Lane
from radfusion.networks.devices import first_line

__all__ = ["Batches", "Pictures", "Row"]

#: Pictures (n, rows, columns), and regions of the same shape where features are pooled over them.
Pictures = tuple[NDArray[np.float32], NDArray[np.float32] | None]
#: Features of one picture, or why it has none.
Row = NDArray[np.float32] | CaseError

_STAGE = "deep"
#: Batches under way for each lane: one that is computed, one that waits.
_AHEAD = 2
_NO_MEMORY = re.compile(
    r"out of memory|not enough memory|can't allocate|cannot allocate|bad_alloc|failed to alloc", re.I
)


class Batches:
    """Lanes, and the number of pictures that they compute together.

    Every batch is filled up with repeats of its last picture: kernels are chosen by the shape of a batch, so that a
    picture's features depend neither on its batch mates nor on how many there are. Where memory does not suffice, the
    number is halved for good.

    Parameters
    ----------
    lanes : sequence of Lane
        Each is used by one thread at a time.
    size : int
        Pictures computed together.

    Attributes
    ----------
    size : int
        The present number.

    Examples
    --------
    >>> import numpy as np
    >>> batches = Batches([lambda pictures, regions: pictures.mean(axis=(1, 2))[:, None]], size=4)
    >>> items = [(np.full((count, 8, 8), count, dtype=np.float32), None) for count in (1, 3, 2)]
    >>> [[float(row[0]) for row in rows] for rows in batches.stream(items)]
    [[1.0], [3.0, 3.0, 3.0], [2.0, 2.0]]
    """

    def __init__(self, lanes: Sequence[Lane], size: int) -> None:
        self.size = size
        self._count = len(lanes)
        self._free: SimpleQueue[Lane] = SimpleQueue()
        self._words: SimpleQueue[str] = SimpleQueue()
        for lane in lanes:
            self._free.put(lane)

    def stream(self, items: Iterable[Pictures]) -> Iterator[list[Row]]:
        """Rows of every item, in order.

        Items are taken in the caller's thread while the lanes compute; at most two batches per lane are under way.
        Closing the iterator, or an error of `items` or of a lane, ends the threads.

        Parameters
        ----------
        items : iterable of Pictures
            Pictures of one size, with regions or all without.

        Yields
        ------
        list of Row
            One row per picture of the item.
        """
        counts: deque[int] = deque()
        rows: deque[Row] = deque()
        running: deque[Future[list[Row]]] = deque()
        pool = ThreadPoolExecutor(self._count, thread_name_prefix="lane")
        try:
            for pictures, regions in _full_batches(items, self.size, counts):
                running.append(pool.submit(self.compute, pictures, regions))
                while running and (len(running) > _AHEAD * self._count or running[0].done()):
                    rows.extend(running.popleft().result())
                yield from _whole_items(counts, rows)
            while running:
                rows.extend(running.popleft().result())
                yield from _whole_items(counts, rows)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def compute(self, pictures: NDArray[np.float32], regions: NDArray[np.float32] | None) -> list[Row]:
        """Rows of some pictures, on the next lane that is free."""
        lane = self._free.get()
        try:
            return list(self._rows(lane, pictures, regions))
        finally:
            self._free.put(lane)

    def words(self) -> Iterator[str]:
        """What has to be told since the last time: that the batch was halved."""
        while True:
            try:
                yield self._words.get_nowait()
            except Empty:
                return

    def _rows(self, lane: Lane, pictures: NDArray[np.float32], regions: NDArray[np.float32] | None) -> Iterator[Row]:
        start = 0
        while start < len(pictures):
            size = self.size
            part = slice(start, start + size)
            rows = self._attempt(lane, pictures[part], None if regions is None else regions[part], size=size)
            if rows is not None:
                yield from rows
                start += size

    def _attempt(
        self, lane: Lane, pictures: NDArray[np.float32], regions: NDArray[np.float32] | None, *, size: int
    ) -> list[Row] | None:
        """Rows of one batch; None when it has to be tried again in smaller ones."""
        filled = np.minimum(np.arange(size), len(pictures) - 1)
        try:
            features = lane(pictures[filled], None if regions is None else regions[filled])
            return [_checked(row, picture) for row, picture in zip(features, pictures, strict=False)]
        except (MemoryError, RuntimeError) as error:
            if _is_memory(error) and size > 1:
                self._halve(size)
                return None
            reason = f"the network cannot compute this picture: {first_line(error)}"
        if len(pictures) == 1:
            return [CaseError(reason, stage=_STAGE)]
        alone = [(pictures[[i]], None if regions is None else regions[[i]]) for i in range(len(pictures))]
        return [row for picture, region in alone for row in self._rows(lane, picture, region)]

    def _halve(self, size: int) -> None:
        if self.size == size:  # else another lane was first
            self.size = size // 2
            self._words.put(f"batches of {size} pictures do not fit in memory: going on with {self.size}")


def _full_batches(items: Iterable[Pictures], size: int, counts: deque[int]) -> Iterator[Pictures]:
    """Pictures of all items, `size` at a time; the number of pictures of each item goes to `counts`."""
    pictures: list[NDArray[np.float32]] = []
    regions: list[NDArray[np.float32]] = []
    for shown, region in items:
        counts.append(len(shown))
        pictures.extend(shown)
        regions.extend(() if region is None else region)
        while len(pictures) >= size:
            yield np.stack(pictures[:size]), np.stack(regions[:size]) if regions else None
            del pictures[:size], regions[:size]
    if pictures:
        yield np.stack(pictures), np.stack(regions) if regions else None


def _whole_items(counts: deque[int], rows: deque[Row]) -> Iterator[list[Row]]:
    while counts and len(rows) >= counts[0]:
        yield [rows.popleft() for _ in range(counts.popleft())]


def _checked(row: NDArray[np.float32], picture: NDArray[np.float32]) -> Row:
    if not np.isfinite(picture).all():  # not every library lets a NaN through to its answer
        return CaseError("the picture holds numbers that are not finite", stage=_STAGE)
    if not np.isfinite(row).all():
        return CaseError("the network answers with numbers that are not finite", stage=_STAGE)
    return row


def _is_memory(error: BaseException) -> bool:
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or _NO_MEMORY.search(str(error)) is not None
