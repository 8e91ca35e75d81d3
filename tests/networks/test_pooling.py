import pytest
import torch

from radfusion.networks.backbones import load_network
from radfusion.networks.pooling import area_shares, average, region_average
from radfusion.networks.sources import WEIGHTS, Pretrained


def random(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize(("rows", "cells"), [(12, 4), (9, 4), (7, 7), (3, 5)])
def test_shares_are_those_of_a_grid_drawn_fine_enough_for_both(rows, cells):
    """The slow way: enlarge the pixels until every cell covers whole ones."""
    regions = (random(2, 1, rows, rows) > 0.5).float()
    fine = regions.repeat_interleave(cells, dim=2).repeat_interleave(cells, dim=3)
    expected = fine.reshape(2, 1, cells, rows, cells, rows).mean(dim=(3, 5))
    torch.testing.assert_close(area_shares(regions, torch.zeros(2, 1, cells, cells)), expected)


def test_a_region_counts_by_its_share_and_an_empty_one_gives_the_picture():
    values, regions = random(3, 5, 4, 4), torch.zeros(3, 1, 8, 8)
    regions[0, :, 2:4, 2:5] = 1  # one whole cell and half of its neighbour
    regions[1] = 1
    found = region_average(values, regions, form="channels first")
    torch.testing.assert_close(found[0], (2 * values[0, :, 1, 1] + values[0, :, 1, 2]) / 3)
    torch.testing.assert_close(found[1:], values[1:].mean(dim=(2, 3)))
    turned = region_average(values.permute(0, 2, 3, 1), regions, form="channels last")
    assert torch.equal(turned, found)


def test_tokens_lie_on_the_grid_of_their_patches_and_the_class_token_nowhere():
    tokens, regions = random(1, 1 + 9, 5), torch.zeros(1, 1, 6, 6)
    regions[:, :, 2:4, 4:] = 1  # the second row's last patch
    assert torch.equal(region_average(tokens, regions, form="tokens", patches=3), tokens[:, 6])
    torch.testing.assert_close(average(tokens, form="tokens", patches=3), tokens[:, 1:].mean(dim=1))
    assert torch.equal(average(tokens, form="class token"), tokens[:, 0])


@torch.inference_mode()
@pytest.mark.parametrize(("name", "size"), [("resnet18", 96), ("swin_t", 96)])
def test_a_region_that_is_the_picture_gives_the_global_average(name, size):
    chosen, pixels = Pretrained(WEIGHTS["random"], name), random(2, 3, size, size)
    everywhere, corner = torch.ones(2, 1, size, size), torch.zeros(2, 1, size, size)
    corner[:, :, :32, :32] = 1
    expected, local = load_network(chosen)(pixels), load_network(chosen, pooling="roi")
    torch.testing.assert_close(local(pixels, everywhere), expected)
    assert not torch.allclose(local(pixels, corner), expected, rtol=1e-3)


@torch.inference_mode()
def test_half_precision_keeps_the_pooling_close():
    chosen, pixels = Pretrained(WEIGHTS["random"], "resnet18"), random(1, 3, 64, 64)
    regions = torch.zeros(1, 1, 64, 64)
    regions[:, :, 3:9, 40:50] = 1
    network = load_network(chosen, "layer1", "roi")
    expected = network(pixels, regions)
    found = network.to(torch.bfloat16)(pixels.to(torch.bfloat16), regions.to(torch.bfloat16))
    assert found.dtype is torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.05)
