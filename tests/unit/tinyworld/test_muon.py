import pytest
import torch

from csae_bench.tinyworld.muon import Muon, orthogonalised


@pytest.mark.parametrize("shape", [(16, 64), (64, 16), (32, 32)])
def test_orthogonalised_has_singular_values_near_one(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalised(matrix))
    # five iterations end between 0.7 and 1.2; the smallest of a square matrix may lag behind
    assert values.max() < 1.3
    assert values.median() > 0.6


def test_orthogonalised_ignores_the_scale_of_its_input():
    matrix = torch.randn(8, 8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(orthogonalised(matrix), orthogonalised(1000 * matrix))


def test_a_step_has_the_promised_size():
    weight = torch.nn.Parameter(torch.zeros(16, 64))
    weight.grad = torch.randn(16, 64, generator=torch.Generator().manual_seed(2))
    Muon([weight], lr=1e-2).step()
    # 16 singular values between 0.7 and 1.2 make a norm of 0.7 to 1.2 times their root
    size = weight.detach().norm() / (1e-2 * 0.2 * 64**0.5 * 16**0.5)
    assert 0.7 < size < 1.2


def test_muon_solves_a_least_squares_problem():
    generator = torch.Generator().manual_seed(3)
    target = torch.randn(8, 8, generator=generator)
    weight = torch.nn.Parameter(torch.zeros(8, 8))
    optimizer = Muon([weight], lr=0.1)
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.3 * (1 - step / 300)
        optimizer.zero_grad()
        (weight - target).square().sum().backward()
        optimizer.step()
    assert (weight - target).norm() < 0.1 * target.norm()
