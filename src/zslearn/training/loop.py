"""The one loop that executes every plan."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from zslearn.errors import TrainingError, first_line, is_out_of_memory
from zslearn.tensors import ClassSemantics
from zslearn.training.plan import Loss, Phase, Plan, Stage, Step, Terms
from zslearn.training.streams import RowStreams, Streams
from zslearn.training.team import Team, current_team

_NEVER = 2**62

Differentiated = tuple[Terms, Tensor, tuple[Tensor | None, ...]]
"""The terms of a loss, the sum of each, and the gradient of all at each parameter."""


@runtime_checkable
class RowSource(Protocol):
    """Rows that are not all in memory."""

    @property
    def device(self) -> torch.device:
        """Where rows arrive."""
        ...

    def __getitem__(self, which: Tensor) -> Tensor:
        """Return the rows with the given numbers."""
        ...


@dataclass(frozen=True)
class Rows:
    """The training rows in the model's feature space, on the device where it trains.

    Attributes:
        features: The rows, ``[n_rows, feature_dim]``, or what reads them from a file.
        labels: Their class ids, ``[n_rows]``.
        semantics: The condition vector of every class.
    """

    features: Tensor | RowSource
    labels: Tensor
    semantics: ClassSemantics

    def draw(
        self, size: int, streams: Streams, purpose: str, part: slice = slice(None)
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draw a batch with replacement: features, condition vectors and labels.

        Each purpose has a stream of its own, so that another stage before it changes no batch.

        Args:
            size: Rows in the batch.
            streams: Where the draw comes from.
            purpose: Names the stream.
            part: Which rows of the batch are wanted.
        """
        rows = streams.integers(f"batch/{purpose}", self.labels.shape[0], size)[..., part]
        labels = self.labels[rows]
        return self.features[rows], self.semantics[labels], labels


@dataclass(frozen=True)
class Progress:
    """Where a training stands, and what its last updates measured.

    Attributes:
        stage: Name of the stage.
        step: Steps of the stage that are done.
        n_steps: Steps that the stage has.
        total_step: Steps of all stages that are done.
        total_steps: Steps that all stages have.
        terms: The terms of the losses by name, already weighted.
    """

    stage: str
    step: int
    n_steps: int
    total_step: int
    total_steps: int
    terms: dict[str, float]


@runtime_checkable
class Keeper(Protocol):
    """Keeps the state of a loop outside of it."""

    def resume(self, loop: Loop) -> None:
        """Bring a new loop to where it stood."""

    def step_done(self, loop: Loop) -> None:
        """Take note of a complete step, and stop the loop by an exception if that is asked for."""


class Loop:
    """Executes a plan, one phase at a time, and can be stopped and resumed between any two.

    Gradients are taken with respect to the parameters of the phase alone, so that no other parameter is
    moved or even holds a gradient.

    Args:
        model: Owns the sub-modules that the plan's phases name.
        plan: What to do.
        rows: What to train on.
        streams: Where all randomness comes from.
        team: The processes that share the batches; None for those of ``launched_team``.
        compiled: Whether the phases' losses are compiled; one that cannot be is computed as it is, with a warning.

    Attributes:
        n_done: How many steps of each stage have been executed.
        seconds: How long ``run`` has taken so far.
    """

    def __init__(
        self,
        model: nn.Module,
        plan: Plan,
        rows: Rows,
        streams: Streams,
        *,
        team: Team | None = None,
        compiled: bool = False,
    ) -> None:
        self.n_done = [0] * len(plan.stages)
        self.seconds = 0.0
        self.model = model
        self.plan = plan
        self.rows = rows
        self.streams = streams
        self.team = current_team() if team is None else team
        for stage in plan.stages:
            self.team.part(stage.batch_size)
        self.compiled = compiled
        self.cursor = Cursor()
        self._losses: dict[str, Loss] = {}
        self._optimisers: dict[str, torch.optim.Optimizer] = {}
        self._averages: dict[str, Tensor] = {}
        self._terms: dict[str, Tensor] = {}
        self._first_bad: dict[tuple[str, ...], Tensor] = {}
        self._skip_empty_stages()

    @property
    def done(self) -> bool:
        """Whether every stage is complete."""
        return self.cursor.stage >= len(self.plan.stages)

    def run(
        self,
        on_step: Callable[[Progress], None] | None = None,
        *,
        every: int = 50,
        keeper: Keeper | None = None,
        max_seconds: float = math.inf,
    ) -> None:
        """Train to the end of the plan, or of the time.

        Args:
            on_step: Called every ``every`` steps and at the end of each stage; reading the terms is what makes
                the host wait for the device, so it is not done in between.
            every: Steps between two calls.
            keeper: Told of every step; before the first it may bring the loop to a saved state.
            max_seconds: After how many seconds the training stops where it stands, time before a resumption included.

        Raises:
            TrainingError: As ``check``, before every call and at the end of each stage.
        """
        if keeper is not None:
            keeper.resume(self)
        begun = time.monotonic() - self.seconds
        while not self.done:
            stage, step = self._stage, self.cursor.step
            self.step()
            self.seconds = time.monotonic() - begun
            if self.team.out_of_time(self.seconds, max_seconds):
                self.stop()
            if step % every == 0 or self.cursor.step == 0:
                self.check()
                if on_step is not None:
                    on_step(self._progress(stage, step))
            if keeper is not None:
                keeper.step_done(self)

    def stop(self) -> None:
        """End the training between two steps: the averages of the stage are adopted, the rest of the plan is left."""
        self._adopt_averages()
        self.cursor = Cursor(stage=len(self.plan.stages))

    def step(self) -> None:
        """Execute all phases that remain of the current step."""
        stage = self._stage
        for _ in range(self.cursor.phase, len(stage.phases)):
            self.step_phase()

    def step_phase(self) -> None:
        """Execute the next phase with its repeats, then advance."""
        stage = self._stage
        phase = stage.phases[self.cursor.phase]
        optimiser = self._optimiser(stage)
        if self.cursor.step == 0 and self.cursor.phase == 0:
            self._terms.clear()
            self._first_bad.clear()
        self._set_rates(stage, phase, optimiser)
        for _ in range(phase.repeats):
            self._update(stage, phase, optimiser)
        self.cursor.phase += 1
        if self.cursor.phase == len(stage.phases):
            self._end_step(stage)

    def check(self) -> None:
        """Make sure that training can go on from here; the host waits for the device.

        Raises:
            TrainingError: If a term or a gradient of the stage was not finite, or too large to be squared; it names
                the phase, and the step where it can.
        """
        bad = [
            (step, f"{phase}.{term}", stage)
            for (stage, phase, *terms), steps in self._first_bad.items()
            for term, step in zip(terms, steps.tolist(), strict=True)
            if step != _NEVER
        ]
        if bad:
            step, term, stage = min(bad)
            raise TrainingError(
                f"the term {term!r} is not finite from step {step + 1} of stage {stage!r} on",
                remedy="Lower learning_rate or the weight of that term.",
            )
        moments = {
            (stage, group["module"]): [
                optimiser.state[parameter][name].isfinite().all()
                for parameter in group["params"]
                for name in ("exp_avg", "exp_avg_sq")
                if parameter in optimiser.state
            ]
            for stage, optimiser in self._optimisers.items()
            for group in optimiser.param_groups
        }
        for (stage, module), finite in moments.items():
            if finite and not torch.stack(finite).all():
                raise TrainingError(
                    f"a gradient of {module!r} in stage {stage!r} is not finite or too large",
                    remedy="Lower learning_rate or the weights of its terms.",
                )

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue to the same bits."""
        return {
            "model": self.model.state_dict(),
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self._optimisers.items()},
            "averages": dict(self._averages),
            "terms": dict(self._terms),
            "streams": self.streams.state_dict(),
            "cursor": (self.cursor.stage, self.cursor.step, self.cursor.phase),
            "n_done": list(self.n_done),
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state that ``state_dict`` returned for the same model and plan."""
        self.model.load_state_dict(state["model"])
        self.cursor = Cursor(*state["cursor"])
        self.n_done, self.seconds = list(state["n_done"]), state["seconds"]
        self._averages = _on_device(state["averages"], self.rows.features.device)
        self._terms = _on_device(state["terms"], self.rows.features.device)
        self._first_bad.clear()
        self.streams.load_state_dict(state["streams"])
        self._optimisers.clear()
        for stage in self.plan.stages:
            if stage.name in state["optimisers"]:
                self._optimiser(stage).load_state_dict(state["optimisers"][stage.name])

    @property
    def _stage(self) -> Stage:
        return self.plan.stages[self.cursor.stage]

    def _update(self, stage: Stage, phase: Phase, optimiser: torch.optim.Optimizer) -> None:
        parameters = [parameter for _, parameter in self._named_parameters(phase.trains)]
        terms, sums, gradients = self._differentiated(stage, phase, parameters)
        reached = [parameter for parameter, gradient in zip(parameters, gradients, strict=True) if gradient is not None]
        measured = [sums.detach(), *(term.detach() for term in terms.values())]
        averages = self.team.average([*measured, *(gradient for gradient in gradients if gradient is not None)])
        self._watch((stage.name, phase.name, *terms), averages[0])
        for parameter, gradient in zip(reached, averages[len(measured) :], strict=True):
            # The fused optimiser reads gradient and parameter in one order; autograd promises none.
            parameter.grad = gradient.contiguous()
        optimiser.step()
        optimiser.zero_grad()
        names = (f"{phase.name}.{name}" for name in terms)
        self._terms.update(zip(names, averages[1 : len(measured)], strict=True))

    def _differentiated(self, stage: Stage, phase: Phase, parameters: list[nn.Parameter]) -> Differentiated:
        """Compute a phase's terms and gradients; the first time its loss is compiled, where that is asked for."""
        key = _key(stage, phase)
        if not self.compiled or key in self._losses:
            return self._gradients(stage, phase, self._losses.get(key, phase.loss), parameters)
        before = self.streams.state_dict()
        self._losses[key] = torch.compile(phase.loss)
        try:
            return self._gradients(stage, phase, self._losses[key], parameters)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            warnings.warn(f"{key} is not compiled: {first_line(error)}", RuntimeWarning, stacklevel=2)
        self.streams.load_state_dict(before)
        self._losses[key] = phase.loss
        return self._gradients(stage, phase, phase.loss, parameters)

    def _gradients(self, stage: Stage, phase: Phase, loss: Loss, parameters: list[nn.Parameter]) -> Differentiated:
        terms = loss(self._batch(stage, phase))
        sums = torch.stack([term.sum() for term in terms.values()])
        # Terms may set in late: what no present term reaches stays as it is.
        return terms, sums, torch.autograd.grad(sums.sum(), parameters, allow_unused=True)

    def _batch(self, stage: Stage, phase: Phase) -> Step:
        """Draw a batch, or this process's part of it."""
        progress = self.cursor.step / stage.n_steps
        if self.team.size == 1 or not phase.divisible:
            return Step(*self.rows.draw(stage.batch_size, self.streams, stage.name), progress, self.streams)
        part = self.team.part(stage.batch_size)
        drawn = self.rows.draw(stage.batch_size, self.streams, stage.name, part)
        return Step(*drawn, progress, RowStreams(self.streams, self.team.rank, self.team.size))

    def _watch(self, key: tuple[str, ...], sums: Tensor) -> None:
        """Note the first step at which each term was not finite, without making the host wait."""
        bad = torch.where(sums.isfinite(), _NEVER, self.cursor.step)
        self._first_bad[key] = torch.minimum(self._first_bad[key], bad) if key in self._first_bad else bad

    def _end_step(self, stage: Stage) -> None:
        self._average(stage)
        self.n_done[self.cursor.stage] += 1
        self.cursor.phase = 0
        self.cursor.step += 1
        if self.cursor.step == stage.n_steps:
            self._adopt_averages()
            self.cursor.next_stage()
            self._skip_empty_stages()

    def _skip_empty_stages(self) -> None:
        while not self.done and self._stage.n_steps == 0:
            self.cursor.next_stage()

    @torch.no_grad()
    def _average(self, stage: Stage) -> None:
        decay = min(stage.decay, (1 + self.cursor.step) / (10 + self.cursor.step))
        for name, parameter in self._named_parameters(stage.average):
            if name in self._averages:
                self._averages[name].lerp_(parameter, 1.0 - decay)
            else:
                self._averages[name] = parameter.detach().clone()

    @torch.no_grad()
    def _adopt_averages(self) -> None:
        parameters = dict(self.model.named_parameters())
        for name, average in self._averages.items():
            parameters[name].copy_(average)
        self._averages.clear()

    def _named_parameters(self, modules: tuple[str, ...]) -> Iterator[tuple[str, nn.Parameter]]:
        for module in modules:
            yield from self.model.get_submodule(module).named_parameters(prefix=module)

    def _optimiser(self, stage: Stage) -> torch.optim.Optimizer:
        """Return the stage's Adam, which has a group for each module: all phases that move one share its moments."""
        if stage.name not in self._optimisers:
            modules = dict.fromkeys(module for phase in stage.phases for module in phase.trains)
            groups = [
                {"params": [parameter for _, parameter in self._named_parameters((module,))], "module": module}
                for module in modules
            ]
            self._optimisers[stage.name] = torch.optim.AdamW(groups, fused=True)
        return self._optimisers[stage.name]

    def _set_rates(self, stage: Stage, phase: Phase, optimiser: torch.optim.Optimizer) -> None:
        """Give the modules that a phase trains its step sizes; the others get no gradient, and so do not move."""
        share = 0.5 * (1.0 + math.cos(math.pi * self.cursor.step / stage.n_steps)) if phase.cosine else 1.0
        for group in optimiser.param_groups:
            if group["module"] in phase.trains:
                rate = phase.own_rates.get(group["module"], phase.learning_rate)
                group.update(lr=rate * share, betas=phase.betas, weight_decay=phase.weight_decay)

    def _progress(self, stage: Stage, step: int) -> Progress:
        terms = {name: float(term.mean()) for name, term in self._terms.items()}
        index = next(i for i, known in enumerate(self.plan.stages) if known is stage)
        before = sum(earlier.n_steps for earlier in self.plan.stages[:index])
        return Progress(stage.name, step + 1, stage.n_steps, before + step + 1, self.plan.n_steps, terms)


def _key(stage: Stage, phase: Phase) -> str:
    return f"{stage.name}/{phase.name}"


def _on_device(tensors: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    return {name: tensor.to(device, copy=True) for name, tensor in tensors.items()}


@dataclass
class Cursor:
    """The next phase to execute, counted from 0.

    Attributes:
        stage: The stage.
        step: The step within it.
        phase: The phase within that.
    """

    stage: int = 0
    step: int = 0
    phase: int = 0

    def next_stage(self) -> None:
        """Move to the first phase of the following stage."""
        self.stage, self.step, self.phase = self.stage + 1, 0, 0
