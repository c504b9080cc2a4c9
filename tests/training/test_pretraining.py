"""Pretraining: no direction sees what it predicts, the softmax is true, a run goes on, weights arrive."""

import json
import shutil
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import TINY, TINY_OPTIONS
from hypothesis import given
from hypothesis import strategies as st
from tiny_trainers import assert_equal, resumed, weights

from sentiment.core import config_io
from sentiment.core.config import Config
from sentiment.core.errors import BundleError, CorpusError, Interrupted, UsageError
from sentiment.core.sections.model import ModelConfig
from sentiment.data.corpus import load_corpus
from sentiment.data.sequences import Sequences
from sentiment.inference import bundle, pretrained
from sentiment.models.batches import pack, positions
from sentiment.models.language_model import (
    LanguageModel,
    held_out_loss,
    keeping_rates,
    sampled_softmax,
    sampling_rates,
)
from sentiment.models.network import Network
from sentiment.report import renderers
from sentiment.runs import pretrain
from sentiment.runs import train as runs_train
from sentiment.training.events import Epoch
from sentiment.training.pretrainer import Pretrainer

CPU = torch.device("cpu")
TYPES, SIZE = 30, 6
STILL = {"word_dropout": 0.0, "embedding_dropout": 0.0, "output_dropout": 0.0}
FEW = {**TINY, "pretraining.epochs": 1, "pretraining.negatives": 50, "pretraining.piece": 20}
FEW_OPTIONS = [f"--set={name}={str(value).lower()}" for name, value in FEW.items()]


def model(seed=0, horizon=1, **changes):
    torch.manual_seed(seed)
    chosen = ModelConfig(**{"hidden_size": 5, **STILL, **changes})
    return LanguageModel(chosen, vocab_size=TYPES, embedding_size=SIZE, horizon=horizon)


def packed(*texts):
    return pack(Sequences.of([list(text) for text in texts]), np.arange(len(texts)), CPU)


def terms(language_model, text):
    """Loss of each prediction over the whole vocabulary: forward (T - 1,), backward (T - 1,)."""
    with torch.no_grad():
        predicted, targets = language_model(packed(text).inputs)
        logits = predicted @ language_model.output_vectors.t() + language_model.bias
        return F.cross_entropy(logits, targets, reduction="none").view(2, -1)


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("changed", range(7))
def test_no_direction_sees_beyond_its_own_side(kind, changed):
    language_model = model(kind=kind)
    text = [3, 4, 5, 6, 7, 8, 9]
    other = list(text)
    other[changed] = 20
    (forward, backward), (forward2, backward2) = terms(language_model, text), terms(language_model, other)
    # Forward, term t is about token t + 1 given those up to t; backward, about token t given later ones.
    assert torch.equal(forward[: max(0, changed - 1)], forward2[: max(0, changed - 1)])
    assert torch.equal(backward[changed + 1 :], backward2[changed + 1 :])
    if changed > 0:  # the other way round it must matter
        assert not torch.equal(forward[changed - 1 :], forward2[changed - 1 :])
        assert not torch.equal(backward[:changed], backward2[:changed])


@pytest.mark.parametrize("changed", range(1, 7))
def test_a_prediction_is_the_same_whatever_its_target(changed):
    language_model = model()
    text = [3, 4, 5, 6, 7, 8, 9]
    other = [*text[:changed], 20, *text[changed + 1 :]]
    with torch.no_grad():
        one, ids = language_model(packed(text).inputs)
        two, ids2 = language_model(packed(other).inputs)
    forward, backward = one.view(2, 6, SIZE)
    forward2, backward2 = two.view(2, 6, SIZE)
    assert torch.equal(forward[:changed], forward2[:changed])
    assert torch.equal(backward[changed:], backward2[changed:])
    assert (ids != ids2).sum() == 1 + (changed < 6)


def test_a_text_is_predicted_alike_alone_and_in_a_batch():
    language_model, texts = model(), [[3, 4, 5, 6], [7, 8], [9, 10, 11, 12, 13], [2]]
    with torch.no_grad():
        _, targets = language_model(packed(*texts).inputs)
        alone = [language_model(packed(text).inputs)[1] for text in texts[:3]]
    expected = sorted([*texts[0][1:], 8, *texts[2][1:], *texts[0][:-1], 7, *texts[2][:-1]])
    assert sorted(targets.tolist()) == expected == sorted(torch.cat(alone).tolist())


@given(st.integers(0, 1000), st.integers(1, 9), st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_a_token_within_the_horizon_is_predicted(seed, horizon, lengths):
    language_model = model(seed, horizon)
    texts = [list(range(2 + row, 2 + row + length)) for row, length in enumerate(lengths)]
    inputs = packed(*texts).inputs
    _, step = positions(inputs.batch_sizes, CPU)
    first = inputs.data.long() - step  # token with which a row's text begins; each is the one before plus 1
    last = first + torch.tensor(lengths)[first - 2] - 1
    _, targets = language_model(inputs)
    forward, backward = inputs.data[inputs.data < last].long(), inputs.data[step > 0].long()
    ahead = torch.cat([targets[: len(forward)] - forward, backward - targets[len(forward) :]])
    rest = torch.cat([last[inputs.data < last] - forward, step[step > 0]])
    assert len(targets) == len(ahead) == 2 * sum(length - 1 for length in lengths)
    assert ((ahead >= 1) & (ahead <= rest.clamp(max=horizon))).all()


def test_each_distance_is_drawn_as_often_and_none_in_evaluation():
    language_model, text = model(horizon=4), list(range(2, 27))
    inputs = packed(text, text).inputs
    drawn = torch.cat([language_model(inputs)[1][:40] - inputs.data[:40] for _ in range(200)])
    assert drawn.unique(return_counts=True)[0].tolist() == [1, 2, 3, 4]
    assert (drawn.bincount()[1:] / len(drawn) - 0.25).abs().max() < 0.02
    language_model.eval()
    assert torch.equal(language_model(inputs)[1], language_model(inputs)[1])
    both, alone = (
        held_out_loss(language_model, Sequences.of(texts), CPU) for texts in ([text, [5, 9]], [text])
    )
    pair = held_out_loss(language_model, Sequences.of([[5, 9]]), CPU)
    assert both == pytest.approx((48 * alone + 2 * pair) / 50, rel=1e-5)


def test_what_is_not_kept_is_not_predicted():
    language_model, texts = model(), [[3, 4, 5, 6], [4, 8], [9, 4, 11, 12, 4]]
    kept = torch.ones(TYPES)
    kept[4] = 0
    inputs = packed(*texts).inputs
    (rows, targets), (all_rows, all_targets) = language_model(inputs, kept), language_model(inputs)
    assert torch.equal(targets, all_targets[all_targets != 4])
    torch.testing.assert_close(rows, all_rows[all_targets != 4])
    expected = torch.cat([terms(language_model, text).flatten() for text in texts])
    there = torch.cat([language_model(packed(text).inputs)[1] for text in texts]) != 4
    found = held_out_loss(language_model, Sequences.of(texts), CPU, kept)
    assert found == pytest.approx(float(expected[there].mean()), rel=1e-5)
    assert len(language_model.losses(inputs, torch.ones(TYPES), torch.zeros(TYPES))) == 0


def test_frequent_types_are_kept_more_seldom():
    counts = np.array([0, 1, 100, 899])
    assert keeping_rates(counts, 0.0, CPU) is None
    rates = keeping_rates(counts, 0.1, CPU)
    assert rates.tolist() == pytest.approx([1, 1, 1, (0.1 / 0.899) ** 0.5])


def test_two_directions_of_two_layers_are_refused():
    with pytest.raises(UsageError, match="--set model"):
        model(layers=2)
    assert len(model(layers=2, bidirectional=False).projections) == 1


def softmax_case(seed=0, count=40):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(count, SIZE, generator=generator),
        torch.randint(TYPES, (count,), generator=generator),
        torch.randn(TYPES, SIZE, generator=generator),
        torch.randn(TYPES, generator=generator),
    )


def test_with_all_types_sampled_it_is_the_whole_softmax():
    predicted, targets, vectors, bias = softmax_case()
    predicted.requires_grad_()
    found = sampled_softmax(predicted, targets, vectors, bias, torch.randperm(TYPES), torch.zeros(TYPES))
    whole = F.cross_entropy(predicted @ vectors.t() + bias, targets, reduction="none")
    torch.testing.assert_close(found, whole)
    gradients = [torch.autograd.grad(loss.sum(), predicted, retain_graph=True)[0] for loss in (found, whole)]
    torch.testing.assert_close(*gradients)


@given(st.integers(0, 1000), st.sets(st.integers(0, TYPES - 1), min_size=2))
def test_it_is_the_softmax_over_the_target_and_the_sampled_types(seed, chosen):
    predicted, targets, vectors, bias = softmax_case(seed, 8)
    rates = torch.rand(TYPES).clamp(0.05)
    sampled = torch.tensor(sorted(chosen))
    found = sampled_softmax(predicted, targets, vectors, bias, sampled, rates.log())
    logits = predicted @ vectors.t() + bias - rates.log()
    for row, target in enumerate(targets.tolist()):
        candidates = sorted(chosen | {target})
        expected = torch.logsumexp(logits[row, candidates], 0) - logits[row, target]
        torch.testing.assert_close(found[row], expected, atol=1e-5, rtol=1e-5)


@given(st.lists(st.integers(0, 100_000), min_size=2, max_size=60), st.integers(0, 70))
def test_rates_are_probabilities_with_the_asked_sum(counts, expected):
    rates = sampling_rates(np.array(counts), expected)
    assert ((rates > 0) & (rates <= 1)).all()
    total = expected if 0 < expected < len(counts) else len(counts)
    assert float(rates.sum()) == pytest.approx(total, rel=1e-4)
    order = np.argsort(counts)
    assert (np.diff(rates.numpy()[order]) >= -1e-6).all()


def test_held_out_loss_is_the_mean_over_predictions():
    language_model, texts = model(), [[3, 4, 5, 6], [7, 8], [9, 10, 11, 12, 13]]
    expected = torch.cat([terms(language_model, text).flatten() for text in texts]).mean()
    assert held_out_loss(language_model, Sequences.of(texts), CPU) == pytest.approx(float(expected), rel=1e-5)


@given(st.lists(st.integers(0, 23), min_size=1, max_size=9), st.integers(2, 7))
def test_pieces_leave_nothing_out(lengths, longest):
    sequences = Sequences.of(
        [np.arange(length, dtype=np.int32) + 100 * row for row, length in enumerate(lengths)]
    )
    pieces = sequences.pieces(longest)
    assert (pieces.lengths <= longest).all()
    assert (pieces.lengths > 0).all()
    assert len(pieces) == sum(-(-length // longest) for length in lengths)
    joined = [step for row in range(len(pieces)) for step in pieces[row].tolist()]
    assert joined == sequences.values.tolist()
    assert all(len(set(pieces[row] // 100)) == 1 for row in range(len(pieces)))


def pretrainer(**changes):
    """Of texts that count up from anywhere."""
    rng = np.random.default_rng(0)
    starts, lengths = rng.integers(2, TYPES - 12, 90), rng.integers(2, 12, 90)
    pieces = Sequences.of(
        [list(range(start, start + length)) for start, length in zip(starts, lengths, strict=True)]
    )
    chosen = {
        "negatives": 10,
        "subsample": 0.01,
        "epochs": 2,
        "batch_size": 16,
        "learning_rate": 0.01,
        **changes,
    }
    settings = config_io.load(overrides={f"pretraining.{name}": value for name, value in chosen.items()})
    torch.manual_seed(0)
    language_model = LanguageModel(
        ModelConfig(hidden_size=5, output_dropout=0.1),
        vocab_size=TYPES,
        embedding_size=SIZE,
        tied=settings.pretraining.tied,
        horizon=settings.pretraining.horizon,
    )
    return Pretrainer(language_model, pieces, pieces, settings, device=CPU)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("stop", [1, 6, 8])
def test_resumed_equals_uninterrupted(tied, stop, tmp_path):
    whole = pretrainer(tied=tied)
    assert sum(isinstance(event, Epoch) for event in whole.run()) == 2
    second = resumed(partial(pretrainer, tied=tied), stop, tmp_path / "c.safetensors")
    assert_equal(weights(whole), weights(second))
    for one, two in zip(whole.history, second.history, strict=True):
        for key in ("loss", "held_out_loss", "tokens"):
            assert one[key] == two[key]


@pytest.mark.parametrize("horizon", [1, 4])
def test_it_learns(horizon):
    run = pretrainer(horizon=horizon, epochs=15, learning_rate=0.03)
    before = held_out_loss(run.model, run.held_out, CPU, run.keeping)
    list(run.run())
    assert run.history[-1]["held_out_loss"] < before - 0.3


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An encoder of the sample, pretrained in several runs of one step or a few."""
    folder = tmp_path_factory.mktemp("encoders") / "sample"
    settings = config_io.load(overrides={**FEW, "corpus.name": "sample"})
    result = pretrain.pretrain(settings, folder, minutes=1e-9)
    assert result["finished"] is False
    assert not folder.exists()
    with pytest.raises(UsageError, match="sentiment pretrain --resume"):
        runs_train.resume(folder)
    assert pretrain.resume(folder, minutes=1e-9)["finished"] is False
    assert pretrain.resume(folder)["finished"] is True
    return folder


def test_several_short_runs_make_what_one_run_makes(made, tmp_path):
    settings = config_io.load(overrides={**FEW, "corpus.name": "sample"})
    result = pretrain.pretrain(settings, tmp_path / "whole")
    one, two = pretrained.load(made), pretrained.load(tmp_path / "whole")
    for name, value in one.weights.items():
        assert torch.equal(value, two.weights[name]), name
    assert result["history"][0]["loss"] == one.about["history"][0]["loss"]
    again = pretrain.resume(tmp_path / "whole")
    assert again == result
    assert not [path for path in made.iterdir() if path.name.startswith(("checkpoint", "pretraining"))]


@pytest.mark.parametrize(("name", "value"), [("horizon", 3), ("subsample", 0.0), ("dropout", 0.5)])
def test_each_setting_of_what_is_predicted_reaches_the_model(name, value, made, tmp_path):
    settings = config_io.load(overrides={**FEW, "corpus.name": "sample", f"pretraining.{name}": value})
    pretrain.pretrain(settings, tmp_path / "other")
    one, other = (
        pretrained.load(folder).weights["embedding.weight"] for folder in (made, tmp_path / "other")
    )
    assert not torch.equal(one, other)


def test_an_encoder_has_read_no_test_text(made):
    corpus = load_corpus("sample")
    seen = pretrained.load(made).seen
    assert not np.isin(pretrained.digests(corpus.test.texts), seen).any()
    assert np.isin(pretrained.digests(corpus.train.texts), seen).all()
    assert pretrained.digests(["A  text!"]) == pretrained.digests(["a text"])


def test_texts_in_test_are_left_out_and_counted(command, tmp_path):
    texts = [f"number {word} is a {side} one" for word in "abcdefghijkl" for side in ("good", "bad")]
    rows = [{"text": text, "label": text.split()[-2]} for text in texts]
    train, test = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    train.write_text("".join(json.dumps(row) + "\n" for row in rows))
    held = [{**row, "text": row["text"].upper() + "!"} for row in rows[:4]]
    test.write_text("".join(json.dumps(row) + "\n" for row in held))
    done = command("pretrain", train, "--test", test, "--out", tmp_path / "enc", *FEW_OPTIONS)
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["finished"] is True
    assert result["left_out"]["training texts in test"] == 4
    assert result["left_out"] == json.loads((tmp_path / "enc" / "encoder.json").read_text())["left_out"]
    assert not np.isin(
        pretrained.digests(row["text"] for row in held), pretrained.load(tmp_path / "enc").seen
    ).any()


def test_init_from_copies_the_weights(made):
    loaded = pretrained.load(made)
    classifier = Network(
        2, loaded.settings.model, vocab_size=loaded.about["texts"]["types"], embedding_size=8
    )
    linear = classifier.linear.weight.detach().clone()
    loaded.initialise(classifier)
    names = [name for name in classifier.state_dict() if not name.startswith("linear")]
    assert set(names) == set(loaded.weights)
    for name in names:
        assert torch.equal(classifier.state_dict()[name], loaded.weights[name]), name
    assert torch.equal(classifier.linear.weight, linear)


@pytest.mark.slow
def test_a_classifier_begins_from_an_encoder_and_says_so(command, made, tmp_path):
    out = tmp_path / "model"
    frozen = ["--set=training.frozen_epochs=-1", "--set=embedding.frozen_epochs=-1", "--set=training.ema=0"]
    few = [option for option in TINY_OPTIONS if "model" not in option and "embedding" not in option]
    done = command("train", "--init-from", made, *few, *frozen, "--out", out)
    assert done.code == 0, done.err
    assert "begun from" in done.out
    assert "that are in test were left out" in " ".join(done.out.split())
    model, source = bundle.load(out), pretrained.load(made)
    assert model.config.model.hidden_size == 8, "sizes come from the encoder"
    for name, value in source.weights.items():
        assert np.array_equal(model.weights[name], value.numpy()), name
    assert (out / "tokenizer.json").read_bytes() == (made / "tokenizer.json").read_bytes()
    assert model.report["embedding"]["encoder"]["left_out"] == source.about["left_out"]
    assert "pretrained in 1 pass over" in renderers.card(model.report)


def test_sizes_that_disagree_are_named(command, made, tmp_path):
    done = command("train", "--init-from", made, "--set=model.hidden_size=9", "--out", tmp_path / "m")
    assert done.code == 2
    assert "--set model.hidden_size=8" in done.err
    assert not list(tmp_path.iterdir())
    done = command("train", "--init-from", made, "--recipe", "quick", "--out", tmp_path / "m")
    assert done.code == 2
    assert "embedding.source=random" in done.err


def test_another_seed_would_leak(made):
    """The sample's test texts are cut by seed, so another seed scores on texts that were read."""
    settings = config_io.load(
        overrides={"corpus.name": "sample", "seed": 1, "model.init_from": str(made)},
        base=pretrained.shared_settings(made),
    )
    with pytest.raises(CorpusError, match="same --seed"):
        pretrained.load(made).check(settings, load_corpus("sample", seed=1))


def test_a_changed_or_wrong_folder_is_refused(command, made, tiny, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(made, copied)
    with (copied / "encoder.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match="changed since"):
        pretrained.load(copied)
    with pytest.raises(BundleError, match="sentiment pretrain"):
        pretrained.load(tiny.bundle.folder)
    with pytest.raises(BundleError, match="--init-from"):
        bundle.load(made)
    (copied / "encoder.json").write_text("{")
    assert command("train", "--init-from", copied).code == 4


def test_a_pretraining_begins_anew():
    settings = Config()
    settings.model.init_from = "somewhere"
    with pytest.raises(UsageError, match="begins anew"):
        pretrain.pretrain(settings)


@pytest.mark.slow
def test_training_can_pretrain_first_and_is_resumed_within_it(tmp_path, monkeypatch):
    asked = config_io.load(None, {**FEW, "corpus.name": "sample", "pretraining.first": True})
    whole = runs_train.train(asked, tmp_path / "whole")
    assert whole.report["embedding"]["source"] == "encoder"
    assert "pretraining" in whole.report["timing"]
    assert {path.name for path in (tmp_path / "whole").iterdir()}.isdisjoint({"encoder", "encoder.partial"})

    class Stop(runs_train.Listener):
        def step(self, event, trainer):
            if isinstance(trainer, Pretrainer) and event.step == 3:
                raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="sentiment train --resume"):
        runs_train.train(
            asked.model_copy(update={"training": asked.training.model_copy(update={"checkpoint_minutes": 1e-9})}),
            tmp_path / "cut", Stop(),
        )  # fmt: skip
    assert (tmp_path / "cut.partial" / "encoder.partial" / bundle.CHECKPOINT).is_file()
    again = runs_train.resume(tmp_path / "cut")
    for name, value in whole.bundle.weights.items():
        np.testing.assert_array_equal(value, again.bundle.weights[name])


def test_two_encoders_are_refused():
    with pytest.raises(UsageError, match="both bring an encoder"):
        config_io.load(None, {"model.init_from": "somewhere", "pretraining.first": True})
