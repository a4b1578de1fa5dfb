import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from zslearn.errors import ConfigError, TrainingError
from zslearn.training.streams import RowStreams, Streams
from zslearn.training.team import ALONE, Team, _reported, current_team, launched_team

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.mark.slow
def test_two_processes_train_every_model_like_one():
    worker = Path(__file__).with_name("trained_together.py")
    ended = subprocess.run([*TORCHRUN, str(worker)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    answer = json.loads(ended.stdout)
    assert answer["size"] == 2
    for differences in answer["told"]:
        assert len(differences) > 15
        assert {arm: gap for arm, gap in differences.items() if not gap < 1e-8} == {}
    # A thread that outlives the group may abort the process when the interpreter ends.
    before, after = answer["threads"]
    assert after == before


def test_parts_of_a_batch_get_the_random_numbers_of_the_whole():
    whole, parts = Streams([3, 8]), [RowStreams(Streams([3, 8]), rank, 3) for rank in range(3)]
    draws = (
        lambda streams, n: streams.normal("a", n, 4),
        lambda streams, n: streams.uniform("b", n, 1),
        lambda streams, n: streams.integers("c", 9, n),
        # What is no row of the batch is drawn alike in all processes, from the same stream.
        lambda streams, n: streams.whole.normal("a", 5)[:, None].expand(2, n, 5),
        lambda streams, n: streams.subset("d", 9, 4)[:, None].expand(2, n, 4),
        lambda streams, n: streams.normal("a", n, 4),
    )
    for draw in draws:
        assert torch.equal(draw(whole, 6), torch.cat([draw(part, 2) for part in parts], dim=1))


def test_the_parts_of_a_batch_are_all_of_it():
    parts = [Team(rank, 4).part(12) for rank in range(4)]
    assert torch.cat([torch.arange(12)[part] for part in parts]).tolist() == list(range(12))


def test_a_batch_that_cannot_be_shared_evenly_is_refused():
    with pytest.raises(ConfigError, match=r"3 processes cannot share .* that 3 divides; received 128.*batch_size=129"):
        Team(0, 3).part(128)


def test_a_process_that_nobody_started_with_others_is_alone():
    with launched_team() as team:
        assert team == current_team() == ALONE
    assert ALONE.leads
    assert ALONE.agreed("mine") == "mine"
    assert ALONE.gathered("mine") == ["mine"]
    tensor = torch.ones(2)
    assert ALONE.average([tensor])[0] is tensor
    assert not ALONE.out_of_time(1e9, float("inf"))
    assert ALONE.out_of_time(2.0, 1.0)


def test_a_connection_that_is_lost_without_a_word_is_told():
    with pytest.raises(TrainingError, match="another process .* has ended .received RuntimeError."), _reported():
        raise RuntimeError
