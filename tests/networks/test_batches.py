"""The scheduler, with lanes and sources that fail, block and run out of memory."""

import threading

import numpy as np
import pytest
import torch

from radfusion.errors import CaseError
from radfusion.networks.backends.batches import Batches

SIZE = 4


def items(counts, start=0):
    """Items of so many pictures each; every picture holds its own number."""
    numbers = iter(range(start, 10_000))
    for count in counts:
        yield np.stack([np.full((2, 2), next(numbers), dtype=np.float32) for _ in range(count)]), None


def mean(pictures, regions):
    assert len(pictures) == SIZE
    return pictures.mean(axis=(1, 2))[:, None]


def values(rows):
    return [float(row[0]) for row in rows]


def lanes_running():
    return [thread for thread in threading.enumerate() if thread.name.startswith("lane")]


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("counts", [[1], [4], [1, 3, 2, 9, 1], [1] * 50, []])
def test_every_item_gets_its_own_rows_in_order(lanes, counts):
    numbers = iter(range(100))
    expected = [[next(numbers) for _ in range(count)] for count in counts]
    assert [values(rows) for rows in Batches([mean] * lanes, SIZE).stream(items(counts))] == expected
    assert not lanes_running()


def test_batches_are_full_and_the_last_is_filled_with_its_last_picture():
    seen = []

    def lane(pictures, regions):
        seen.append(pictures[:, 0, 0].tolist())
        return mean(pictures, regions)

    list(Batches([lane], SIZE).stream(items([3, 3])))
    assert seen == [[0, 1, 2, 3], [4, 5, 5, 5]]


def test_regions_travel_with_their_pictures():
    def lane(pictures, regions):
        assert np.array_equal(regions, -pictures)
        return mean(regions, None)

    with_regions = ((pictures, -pictures) for pictures, _ in items([3, 4]))
    assert [values(rows) for rows in Batches([lane], SIZE).stream(with_regions)] == [[0, -1, -2], [-3, -4, -5, -6]]


@pytest.mark.timeout(60)
def test_reading_goes_on_while_lanes_compute_and_stays_only_a_few_batches_ahead():
    """The first batch is computed only when the source was asked for the third: without overlap this would stand."""
    read, third = [], threading.Event()

    def source():
        for item in items([1] * 100):
            read.append(item)
            if len(read) > 2 * SIZE:
                third.set()
            yield item

    def lane(pictures, regions):
        assert third.wait(30)
        return mean(pictures, regions)

    ahead = [len(read) - index for index, _ in enumerate(Batches([lane], SIZE).stream(source()))]
    assert len(ahead) == 100
    assert 2 * SIZE < max(ahead) <= 4 * SIZE


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_an_error_of_the_source_passes_and_ends_the_threads(error):
    def source():
        yield from items([1] * 30)
        raise error

    with pytest.raises(error):
        list(Batches([mean] * 2, SIZE).stream(source()))
    assert not lanes_running()


def test_a_mistake_in_a_lane_passes_and_ends_the_threads():
    def lane(pictures, regions):
        raise TypeError("no such argument")

    with pytest.raises(TypeError, match="no such argument"):
        list(Batches([lane] * 2, SIZE).stream(items([1] * 30)))
    assert not lanes_running()


def test_closing_early_ends_the_threads():
    stream = Batches([mean] * 2, SIZE).stream(items([1] * 1000))
    assert values(next(stream)) == [0]
    assert lanes_running()
    stream.close()
    assert not lanes_running()


def test_two_streams_share_the_lanes():
    batches = Batches([mean], SIZE)
    pairs = zip(batches.stream(items([1] * 9)), batches.stream(items([1] * 9, start=50)), strict=True)
    assert [values(a) + values(b) for a, b in pairs] == [[i, 50 + i] for i in range(9)]


def test_a_batch_that_does_not_fit_in_memory_is_halved_and_said():
    sizes = []

    def lane(pictures, regions):
        sizes.append(len(pictures))
        if len(pictures) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return pictures.mean(axis=(1, 2))[:, None]

    batches = Batches([lane], 8)
    rows = [values(rows) for rows in batches.stream(items([3, 10]))]
    assert rows == [[0, 1, 2], [*range(3, 13)]]
    assert batches.size == 2
    assert sizes[:3] == [8, 4, 2]
    assert set(sizes[2:]) == {2}
    assert list(batches.words()) == [
        "batches of 8 pictures do not fit in memory: going on with 4",
        "batches of 4 pictures do not fit in memory: going on with 2",
    ]
    assert list(batches.words()) == []


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.OutOfMemoryError("no room"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
)
def test_a_picture_that_never_fits_costs_its_own_item(error):
    def lane(pictures, regions):
        if len(pictures) > 1 or pictures[0, 0, 0] == 2:
            raise error
        return pictures.mean(axis=(1, 2))[:, None]

    rows = [row for rows in Batches([lane] * 2, SIZE).stream(items([1] * 5)) for row in rows]
    assert [isinstance(row, CaseError) for row in rows] == [False, False, True, False, False]
    assert rows[2].stage == "deep"
    assert rows[2].reason.startswith("the network cannot compute this picture")


def test_a_picture_that_breaks_its_batch_is_found_and_the_others_are_kept():
    def lane(pictures, regions):
        if (pictures[:, 0, 0] == 6).any():
            raise RuntimeError("bad picture\nand a long trace")
        return mean(pictures, regions)

    rows = [row for rows in Batches([lane] * 2, SIZE).stream(items([2] * 5)) for row in rows]
    assert [index for index, row in enumerate(rows) if isinstance(row, CaseError)] == [6]
    assert rows[6].reason == "the network cannot compute this picture: bad picture"
    assert values(row for index, row in enumerate(rows) if index != 6) == [0, 1, 2, 3, 4, 5, 7, 8, 9]


def test_numbers_that_are_not_finite_are_no_features():
    def lane(pictures, regions):
        with np.errstate(divide="ignore"):
            return 1 / mean(pictures, regions)

    first, second = Batches([lane], SIZE).stream(items([1, 1]))
    assert first[0].reason == "the network answers with numbers that are not finite"
    assert values(second) == [1.0]
