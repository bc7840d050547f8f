"""Training that is stopped and taken up again is the same training."""

import pytest
import torch

from actors.seedling.train import fit, learning_rate


class Stop(Exception):
    pass


def train(folder, stop_at=None, total=8):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))

    def loss_of_step(step):
        if step == stop_at:
            raise Stop
        x = torch.randn((16, 3), generator=torch.Generator().manual_seed(step))
        return (model(x) - x.sum(1, keepdim=True)).square().mean()

    folder.mkdir(exist_ok=True)
    fit("toy", model, loss_of_step, folder=folder, total=total, peak=1e-2, save_every=2)
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path):
    whole = train(tmp_path / "whole")
    with pytest.raises(Stop):
        train(tmp_path / "stopped", stop_at=5)
    assert torch.equal(train(tmp_path / "stopped"), whole)


def test_no_checkpoint_is_a_pickle(tmp_path):
    train(tmp_path / "run")
    assert {path.suffix for path in (tmp_path / "run" / "toy").iterdir()} == {
        ".safetensors",
        ".json",
    }


def test_the_rate_rises_stays_and_falls():
    rates = [learning_rate(step, peak=1.0, total=1000) for step in range(1000)]
    assert rates[0] < 0.01
    assert rates[400] == rates[600] == 1.0
    assert rates[-1] < 0.001
    assert rates[749:] == sorted(rates[749:], reverse=True)
