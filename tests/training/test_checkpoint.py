"""A training that was stopped at any step goes on to the same bits."""

import json

import pytest
import torch

from zslearn import GenerativeZSL
from zslearn.errors import RunFolderError, TrainingError
from zslearn.tensor_files import read_tensors
from zslearn.training import checkpoint
from zslearn.training.checkpoint import FOLDER, N_KEPT, Checkpoints

SETTINGS = {"n_updates": 6, "teacher_updates": 4, "hidden_dim": 8, "latent_dim": 3, "adversarial_weight": 0.1}


class Stopped(Exception):
    """What kills a fit in these tests."""


def fit(view, folder, *, stop_after=None, every=0.0):
    """Fit with checkpoints; the process 'dies' after so many saved steps."""
    checkpoints = Checkpoints(lambda: folder, every=every)
    checkpoints.load()
    seen = 0

    def count(part, loop):
        nonlocal seen
        saved(part, loop)
        seen += 1
        if seen == stop_after:
            raise Stopped

    saved = checkpoints.step_done
    checkpoints.step_done = count
    estimator = GenerativeZSL(settings=SETTINGS).fit_view(
        view,
        lambda progress: checkpoints.history.append({"part": progress.part, "step": progress.training.step}),
        checkpoints,
    )
    return estimator, checkpoints


@pytest.fixture(scope="module")
def view(toy_dataset):
    return toy_dataset.training()


@pytest.fixture(scope="module")
def whole(view, tmp_path_factory):
    return fit(view, tmp_path_factory.mktemp("whole"))


def same(estimator, other):
    mine, others = estimator.recogniser_.arrays(), other.recogniser_.arrays()
    assert estimator.rehearsal_ == other.rehearsal_
    return mine.keys() == others.keys() and all(torch.equal(mine[name], others[name]) for name in mine)


def test_checkpoints_change_nothing(view, whole):
    assert same(whole[0], GenerativeZSL(settings=SETTINGS).fit_view(view))


@pytest.mark.parametrize("stop_after", [1, 10, 25, 40])
def test_a_fit_that_is_killed_goes_on_to_the_same_bits(view, whole, tmp_path, stop_after):
    with pytest.raises(Stopped):
        fit(view, tmp_path, stop_after=stop_after)
    resumed, checkpoints = fit(view, tmp_path)
    assert same(resumed, whole[0])
    assert checkpoints.history == whole[1].history


def test_finished_folds_are_not_trained_again(view, whole, tmp_path):
    with pytest.raises(Stopped):
        fit(view, tmp_path, stop_after=25)
    stages = []
    checkpoints = Checkpoints(lambda: tmp_path, every=1e9)
    checkpoints.load()
    GenerativeZSL(settings=SETTINGS).fit_view(view, lambda progress: stages.append(progress.part), checkpoints)
    assert set(stages) == {2, 3}


def test_the_last_two_states_are_kept_and_a_damaged_one_is_passed_over(view, whole, tmp_path):
    with pytest.raises(Stopped):
        fit(view, tmp_path, stop_after=35)
    states = sorted((tmp_path / FOLDER).glob("state-*"))
    assert len(states) == N_KEPT
    content = bytearray(states[-1].read_bytes())
    content[-9] ^= 1
    states[-1].write_bytes(content)
    resumed, checkpoints = fit(view, tmp_path)
    assert same(resumed, whole[0])
    assert checkpoints.history == whole[1].history


def test_lost_scores_are_computed_again(view, whole, tmp_path):
    with pytest.raises(Stopped):
        fit(view, tmp_path, stop_after=35)
    (tmp_path / FOLDER / "scores-001.safetensors").write_bytes(b"")
    resumed, checkpoints = fit(view, tmp_path)
    assert same(resumed, whole[0])
    assert checkpoints.history == whole[1].history


def test_a_stop_is_asked_for_once(view, tmp_path):
    checkpoints = Checkpoints(lambda: tmp_path, every=1e9)
    assert not checkpoints.ask_to_stop()
    checkpoints = Checkpoints(lambda: tmp_path, every=1e9)
    answers = []
    with pytest.raises(KeyboardInterrupt):
        GenerativeZSL(settings=SETTINGS).fit_view(
            view, lambda _: answers.extend([checkpoints.ask_to_stop(), checkpoints.ask_to_stop()]), checkpoints
        )
    assert answers == [True, False]
    assert len(list((tmp_path / FOLDER).glob("state-*"))) == 1


def test_no_stop_is_promised_where_no_step_comes(view, tmp_path):
    """A generator in closed form has no steps, and neither has a training that was done when its run stopped."""
    for name, settings in (("gfzsl", {}), ("skd", SETTINGS)):
        checkpoints = Checkpoints(lambda: tmp_path, every=0.0)
        checkpoints.load()
        estimator = GenerativeZSL(name, settings=settings, rehearse=False).fit_view(view, None, checkpoints)
        assert not checkpoints.ask_to_stop()
    checkpoints = Checkpoints(lambda: tmp_path, every=0.0)
    checkpoints.load()
    steps = []
    again = GenerativeZSL(name, settings=settings, rehearse=False).fit_view(view, steps.append, checkpoints)
    assert same(again, estimator)
    assert steps == []
    assert not checkpoints.ask_to_stop()


def test_a_state_that_is_not_finite_is_not_saved(view, tmp_path):
    settings = {**SETTINGS, "learning_rate": 1e30}
    with pytest.raises(TrainingError, match="'critic.gap' is not finite from step 2 of stage 'generative' on"):
        GenerativeZSL(settings=settings).fit_view(view, None, Checkpoints(lambda: tmp_path, every=0.0))
    states = list((tmp_path / FOLDER).glob("state-*"))
    assert states
    for path in states:
        tensors = read_tensors(path).tensors
        assert all(bool(tensor.isfinite().all()) for tensor in tensors.values())


def test_a_state_of_other_settings_is_refused(view, tmp_path):
    with pytest.raises(Stopped):
        fit(view, tmp_path, stop_after=3)
    checkpoints = Checkpoints(lambda: tmp_path)
    checkpoints.load()
    with pytest.raises(RunFolderError, match=f"does not belong to this run.*Delete the folder {FOLDER}"):
        GenerativeZSL(settings={**SETTINGS, "hidden_dim": 9}).fit_view(view, None, checkpoints)


def test_a_state_of_another_version_is_refused(view, tmp_path, monkeypatch):
    with pytest.raises(Stopped):
        fit(view, tmp_path, stop_after=3)
    monkeypatch.setattr(checkpoint, "_VERSION", checkpoint._VERSION + 1)
    with pytest.raises(RunFolderError, match=f"saved by another version .*Delete the folder {FOLDER}"):
        Checkpoints(lambda: tmp_path).load()


def test_states_that_cannot_be_written_say_how_to_go_on(view, tmp_path):
    (tmp_path / FOLDER).write_text("in the way")
    with pytest.raises(RunFolderError, match=r"cannot be saved in .*File exists.*go on with: zslearn run --resume"):
        fit(view, tmp_path)


@pytest.mark.parametrize("value", [{"a": [1, {2: torch.arange(3)}], 0: None}, [[], {}, "x", 1.5, True]])
def test_any_nested_state_survives_json(value):
    tensors = {}
    packed = json.loads(json.dumps(checkpoint._pack(value, "v", tensors)))
    again = checkpoint._unpack(packed, tensors)
    assert repr(again) == repr(value)


def test_closed_forms_have_no_state(view, tmp_path):
    checkpoints = Checkpoints(lambda: tmp_path, every=0.0)
    solved = GenerativeZSL("eszsl").fit_view(view, None, checkpoints)
    assert same(solved, GenerativeZSL("eszsl").fit_view(view))
    assert list(tmp_path.iterdir()) == []
