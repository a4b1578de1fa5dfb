import torch

from zslearn.training.streams import Streams, derive_seed


def test_a_stream_does_not_depend_on_other_streams():
    alone, beside = Streams(3), Streams(3)
    beside.normal("other", 100)
    assert torch.equal(alone.normal("latent", 5), beside.normal("latent", 5))


def test_names_and_seeds_give_different_numbers():
    assert not torch.equal(Streams(3).normal("a", 5), Streams(3).normal("b", 5))
    assert not torch.equal(Streams(3).normal("a", 5), Streams(4).normal("a", 5))


def test_several_seeds_draw_what_each_would_draw_alone():
    many = Streams([3, 8])
    drawn = [many.normal("a", 2, 5), many.uniform("a", 4), many.integers("a", 9, 3), many.subset("a", 9, 4)]
    for position, seed in enumerate((3, 8)):
        one = Streams(seed)
        alone = [one.normal("a", 2, 5), one.uniform("a", 4), one.integers("a", 9, 3), one.subset("a", 9, 4)]
        for together, apart in zip(drawn, alone, strict=True):
            assert torch.equal(together[position], apart)


def test_a_subset_has_no_repeats():
    assert sorted(Streams(0).subset("a", 6, 6).tolist()) == list(range(6))


def test_the_state_continues_the_same_numbers():
    streams = Streams([1, 2])
    streams.normal("a", 7)
    state = streams.state_dict()
    expected = streams.normal("a", 7)
    fresh = Streams([1, 2])
    fresh.load_state_dict(state)
    assert torch.equal(fresh.normal("a", 7), expected)


def test_derived_seeds_fit_generators_and_differ():
    seeds = {derive_seed(seed, name) for seed in range(50) for name in "abcd"}
    assert len(seeds) == 200
    assert all(0 <= seed < 2**63 for seed in seeds)
