"""Every random number of a run, drawn from named generators that live in one object."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor


class Streams:
    """Named random generators for one seed, or for several that train as one computation.

    A draw depends on the seed, the name and the earlier draws under that name, and on nothing else: adding a
    stream leaves all others as they were. With several seeds every tensor drawn has a leading seed dimension,
    and each of its slices equals what that seed would have drawn alone.

    Args:
        seeds: One seed, or a sequence of them for a leading seed dimension.
        device: Where the generators live and their draws arrive.
    """

    def __init__(self, seeds: int | Sequence[int], device: torch.device | str = "cpu") -> None:
        self.many = not isinstance(seeds, int)
        self.seeds: tuple[int, ...] = (seeds,) if isinstance(seeds, int) else tuple(seeds)
        self.device = torch.device(device)
        self._generators: dict[str, list[torch.Generator]] = {}

    @property
    def leading(self) -> tuple[int, ...]:
        """The leading shape of every draw: empty for one seed, the number of seeds for several."""
        return (len(self.seeds),) if self.many else ()

    def normal(self, name: str, *shape: int) -> Tensor:
        """Draw standard normal numbers of the given shape from the stream ``name``."""
        return self._stack(name, lambda rng: torch.randn(shape, generator=rng, device=self.device))

    def uniform(self, name: str, *shape: int) -> Tensor:
        """Draw numbers uniformly from [0, 1)."""
        return self._stack(name, lambda rng: torch.rand(shape, generator=rng, device=self.device))

    def around_zero(self, name: str, bound: float, *shape: int) -> Tensor:
        """Draw numbers uniformly from [-bound, bound)."""
        return (2.0 * self.uniform(name, *shape) - 1.0) * bound

    def integers(self, name: str, high: int, *shape: int) -> Tensor:
        """Draw whole numbers uniformly from 0 to ``high - 1``."""
        return self._stack(name, lambda rng: torch.randint(high, shape, generator=rng, device=self.device))

    def subset(self, name: str, high: int, size: int) -> Tensor:
        """Draw ``size`` different whole numbers from 0 to ``high - 1``, in random order."""
        return self._stack(name, lambda rng: torch.randperm(high, generator=rng, device=self.device)[:size])

    @property
    def whole(self) -> Streams:
        """The streams that draw for all processes alike, where these draw for a part of a batch."""
        return self

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state of every generator, for a checkpoint."""
        return {
            f"{name}/{seed}": generator.get_state()
            for name, generators in self._generators.items()
            for seed, generator in zip(self.seeds, generators, strict=True)
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue exactly where ``state_dict`` was taken; the seeds must be the same."""
        self._generators.clear()
        for name in {key.rpartition("/")[0] for key in state}:
            for seed, generator in zip(self.seeds, self._named(name), strict=True):
                generator.set_state(state[f"{name}/{seed}"])

    def _named(self, name: str) -> list[torch.Generator]:
        if name not in self._generators:
            self._generators[name] = [
                torch.Generator(self.device).manual_seed(derive_seed(seed, name)) for seed in self.seeds
            ]
        return self._generators[name]

    def _stack(self, name: str, draw: Callable[[torch.Generator], Tensor]) -> Tensor:
        draws = [draw(generator) for generator in self._named(name)]
        return torch.stack(draws) if self.many else draws[0]


class RowStreams(Streams):
    """Streams for a part of a batch: every draw is made for the whole batch, and the rows of the part are given out.

    So the rows of a batch get the same random numbers whether one process has them all or several have a part each.
    The first side of every shape must be the number of rows of the part.

    Args:
        whole: The streams that are drawn from.
        rank: Which part, counted from 0.
        n_parts: How many equal parts there are.
    """

    def __init__(self, whole: Streams, rank: int, n_parts: int) -> None:
        super().__init__(whole.seeds if whole.many else whole.seeds[0], whole.device)
        self._whole = whole
        self._rank = rank
        self._n_parts = n_parts

    @property
    def whole(self) -> Streams:
        """The streams that are drawn from."""
        return self._whole

    def normal(self, name: str, *shape: int) -> Tensor:
        """Draw standard normal numbers for the rows of the part."""
        return self._own(self._whole.normal(name, *self._of_all(shape)), shape)

    def uniform(self, name: str, *shape: int) -> Tensor:
        """Draw numbers uniformly from [0, 1) for the rows of the part."""
        return self._own(self._whole.uniform(name, *self._of_all(shape)), shape)

    def integers(self, name: str, high: int, *shape: int) -> Tensor:
        """Draw whole numbers uniformly from 0 to ``high - 1`` for the rows of the part."""
        return self._own(self._whole.integers(name, high, *self._of_all(shape)), shape)

    def subset(self, name: str, high: int, size: int) -> Tensor:
        """Draw different whole numbers for all parts alike: they belong to no row."""
        return self._whole.subset(name, high, size)

    def _of_all(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (shape[0] * self._n_parts, *shape[1:])

    def _own(self, drawn: Tensor, shape: tuple[int, ...]) -> Tensor:
        return drawn.narrow(len(self.leading), self._rank * shape[0], shape[0])


def derive_seed(seed: int, name: str) -> int:
    """Turn a run's seed and a purpose into an independent seed in [0, 2**63)."""
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
