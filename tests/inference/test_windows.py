"""Long texts in windows: nothing is left out, what fits is untouched, memory is bounded."""

import itertools
import json
import subprocess
import sys
import tracemalloc
from functools import partial

import numpy as np
import pytest
import torch
from conftest import TINY, in_numpy, in_torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_trainers import assert_equal, resumed, weights
from torch.nn.utils.rnn import PackedSequence

import sentiment
from sentiment.core import config_io
from sentiment.core.errors import UsageError
from sentiment.core.sections.data import TokenizerConfig
from sentiment.core.sections.model import ModelConfig
from sentiment.core.sections.training import TrainingConfig
from sentiment.data import tokenizer as tokenizer_module
from sentiment.data.sequences import Sequences
from sentiment.data.tokenizer import Tokenizer
from sentiment.inference import attribution, explain, predictor
from sentiment.inference.attribution import integrate
from sentiment.inference.predictor import Predictor
from sentiment.models import network
from sentiment.models.batches import pack
from sentiment.models.network import Network
from sentiment.models.numpy_engine import NumpyClassifier
from sentiment.report import explanation
from sentiment.training import losses
from sentiment.training.events import Epoch
from sentiment.training.trainer import Data, Examples, Trainer

CPU = torch.device("cpu")
ALL = ["last", "max", "mean", "attention"]
SIZES = {"vocab_size": 50, "embedding_size": 7}
LENGTHS = (3, 41, 10, 200, 11, 1, 77)  # of them 41, 200, 11 and 77 are longer than a window
WINDOW, OVERLAP = 10, 4


def classifier(**settings) -> Network:
    torch.manual_seed(0)
    model = Network(3, ModelConfig(**{"hidden_size": 6, "pooling": ALL, **settings}), **SIZES)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.8, 0.8)
    return model.eval()


def sequences(*lengths: int) -> Sequences:
    rng = np.random.default_rng(len(lengths))
    return Sequences.of([rng.integers(1, 50, length).astype(np.int32) for length in lengths])


def windows_of(whole: Sequences, row: int) -> list[np.ndarray]:
    starts, lengths, _ = whole.windows(np.array([row]))
    return [whole.values[start : start + length] for start, length in zip(starts, lengths, strict=True)]


@given(st.lists(st.integers(1, 90), min_size=1, max_size=8), st.integers(1, 30), st.data())
def test_windows_leave_nothing_out_and_overlap(lengths, window, data):
    overlap = data.draw(st.integers(0, window // 2))
    most = data.draw(st.integers(1, 4))
    whole = sequences(*lengths).windowed(window, overlap)
    rows = np.array(data.draw(st.permutations(range(len(lengths)))))
    starts, sizes, counts = whole.windows(rows)
    assert np.array_equal(counts, whole.counts[rows])
    assert np.array_equal(np.add.reduceat(sizes, np.cumsum(counts) - counts), whole.steps()[rows])
    drawn, drawn_sizes, drawn_counts = whole.windows(rows, most, np.random.default_rng(0))
    assert np.array_equal(drawn_counts, np.minimum(counts, most))
    assert drawn_sizes.sum() == whole.steps(most).sum()
    ends, drawn_ends = np.cumsum(counts), np.cumsum(drawn_counts)
    for place, row in enumerate(rows):
        mine = slice(ends[place] - counts[place], ends[place])
        begins, length = starts[mine] - whole.offsets[row], lengths[row]
        assert (sizes[mine] == min(length, window)).all()
        assert begins[0] == 0
        assert begins[-1] + sizes[mine][-1] == length
        assert (np.diff(begins) <= window - overlap).all()
        assert (
            len(begins) == 1 or (len(begins) - 2) * (window - overlap) + window < length
        )  # none is too much
        some = drawn[drawn_ends[place] - drawn_counts[place] : drawn_ends[place]] - whole.offsets[row]
        assert (np.diff(some) > 0).all()
        assert set(some) <= set(begins)


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_texts_that_fit_are_the_same_to_the_bit(kind):
    model, plain = classifier(kind=kind), sequences(3, 41, 10, 30, 11, 1)
    windowed = plain.windowed(41, 20)
    assert np.array_equal(in_torch(model, plain, CPU), in_torch(model, windowed, CPU))
    rows = np.arange(len(plain))
    one, two = (pack(data, rows, CPU) for data in (plain, windowed))
    assert two.counts is None
    assert torch.equal(one.inputs.data, two.inputs.data)
    found = []
    for batch in (one, two):
        model.zero_grad()
        torch.manual_seed(1)
        logits = model.train()(batch.inputs, batch.counts)
        logits.square().sum().backward()
        found.append([logits, *(value.grad for value in model.parameters())])
    assert all(itertools.starmap(torch.equal, zip(*found, strict=True)))
    engine = numpy_of(model)
    assert np.array_equal(in_numpy(engine, plain), in_numpy(engine, windowed))


def naive(model: Network, windows: list[np.ndarray]) -> torch.Tensor:
    """Read one window after the other, then pool all outputs at once."""
    outputs, states = [], []
    for window in windows:
        embedded = model.embedding.weight[torch.from_numpy(window).long()]
        packed = PackedSequence(embedded, torch.ones(len(window), dtype=torch.long))
        output, (last, _) = model.recurrence(packed)
        outputs.append(output.data)
        states.append(last[:, 0])
    every = torch.cat(outputs)
    pooled = {"max": every.amax(0), "mean": every.mean(0), "last": torch.cat([states[-1][0], *states[0][1:]])}
    if model.attention is not None:
        pooled["attention"] = (model.attention(every).softmax(0) * every).sum(0)
    return model.linear(torch.cat([pooled[name] for name in model.config.pooling]))


@pytest.mark.parametrize("pooling", [[name] for name in ALL] + [ALL], ids=str)
@pytest.mark.parametrize("bidirectional", [True, False])
def test_pooling_and_gradients_are_those_of_all_windows_at_once(pooling, bidirectional):
    model = classifier(pooling=pooling, bidirectional=bidirectional).double()
    whole = sequences(*LENGTHS).windowed(WINDOW, OVERLAP)
    batch = pack(whole, np.arange(len(LENGTHS)), CPU)
    logits = model(batch.inputs, counts=batch.counts)
    logits.square().sum().backward()
    ours = {name: value.grad.clone() for name, value in model.named_parameters()}
    model.zero_grad()
    expected = torch.stack([naive(model, windows_of(whole, row)) for row in batch.rows])
    torch.testing.assert_close(logits, expected, atol=1e-10, rtol=1e-8)
    assert expected.std(0).min() > 1e-3
    expected.square().sum().backward()
    for name, value in model.named_parameters():
        torch.testing.assert_close(ours[name], value.grad, atol=1e-10, rtol=1e-8)


def numpy_of(model: Network) -> NumpyClassifier:
    return NumpyClassifier(model.config, {name: value.numpy() for name, value in model.state_dict().items()})


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("pooling", [["max", "mean"], ["last"], ["attention"], ALL], ids=str)
def test_numpy_says_the_same_of_windows(kind, pooling):
    model = classifier(kind=kind, pooling=pooling, layers=2)
    whole = sequences(*LENGTHS).windowed(WINDOW, OVERLAP)
    expected = in_torch(model, whole, CPU)
    assert expected.std(0).min() > 1e-3
    np.testing.assert_allclose(in_numpy(numpy_of(model), whole), expected, atol=2e-6, rtol=0)


def test_a_long_text_is_the_same_in_any_company_and_in_parts(monkeypatch):
    model, whole = classifier(), sequences(*LENGTHS).windowed(WINDOW, OVERLAP)
    together = in_torch(model, whole, CPU)
    for row in range(len(LENGTHS)):
        alone = Sequences.of([whole[row]]).windowed(WINDOW, OVERLAP)
        np.testing.assert_allclose(in_torch(model, alone, CPU)[0], together[row], atol=1e-6)
    monkeypatch.setattr(network, "INFERENCE_TOKENS", 25)  # two windows at a time
    np.testing.assert_allclose(in_torch(model, whole, CPU), together, atol=1e-6)


MEMORY = """
import resource, sys
import numpy as np, torch
from sentiment.core.sections.model import ModelConfig
from sentiment.data.sequences import Sequences
from sentiment.models.network import Network, infer
model = Network(2, ModelConfig(), vocab_size=1000, embedding_size=100)
texts = np.random.default_rng(0).integers(0, 1000, 100_000).astype(np.int32)
few = Sequences.of([texts[:20_000]] * 2).windowed(400, 50)
infer(model, few, torch.device("cpu"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
infer(model, Sequences.of([texts]).windowed(400, 50), torch.device("cpu"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_a_hundred_thousand_tokens_take_hardly_more_memory_than_twenty_thousand():
    """Read at once, their activations alone would be 800 MB more."""
    done = subprocess.run([sys.executable, "-c", MEMORY], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 150_000  # kB


def test_numpy_reads_a_long_text_in_bounded_memory():
    engine = numpy_of(classifier(hidden_size=32))
    whole = sequences(40_000).windowed(400, 50)
    tracemalloc.start()
    in_numpy(engine, whole)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6  # the projections of all windows would be 45 MB


def test_the_tokenizer_reads_all_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(tokenizer_module, "WORTH_KEEPING", 10)
    settings = TokenizerConfig(max_length=4, truncation="windows", window_overlap=1)
    texts = ["good film " * 9, "good film"]
    trained = Tokenizer.train(texts, settings)
    for encoded in (trained.encode(texts), trained.encode_kept(texts), trained.encode_kept(texts)):
        assert encoded.truncated.tolist() == [False, False]
        assert encoded.lengths.tolist() == encoded.sequences.lengths.tolist() == [18, 2]
        assert encoded.sequences.counts.tolist() == [6, 1]
    assert len(trained.tokens(texts[0]).read) == 18


@pytest.mark.parametrize("pooling", [["max", "mean"], ["last"], ["attention"]], ids=str)
def test_an_explanation_adds_up_over_windows_and_in_parts(pooling, monkeypatch):
    model = classifier(pooling=pooling)
    whole = sequences(41).windowed(WINDOW, OVERLAP)
    starts, sizes, counts = whole.windows(np.array([0]))
    windows = torch.from_numpy(starts[:, None] + np.arange(sizes[0]))
    vectors = model.embedding.weight.detach()[torch.from_numpy(whole.values).long()][None]

    def difference(inputs):
        logits = attribution.classify(model, inputs, int(counts[0]))
        return logits[:, 2] - logits[:, 0]

    found = integrate(difference, vectors, windows)
    assert abs(found.error) <= 0.01 * max(1, abs(found.difference - found.baseline_difference))
    logs = np.log(in_torch(model, whole, CPU)[0])
    assert found.difference == pytest.approx(logs[2] - logs[0], abs=1e-5)
    monkeypatch.setattr(attribution, "TOKENS", 25)
    parts = integrate(difference, vectors, windows)
    np.testing.assert_allclose(parts.weights, found.weights, atol=1e-5)


def test_a_perturbation_has_its_norm_over_all_windows_of_a_text(monkeypatch):
    model, whole = classifier(), sequences(*LENGTHS).windowed(WINDOW, OVERLAP)
    batch, made, original = pack(whole, np.arange(len(LENGTHS)), CPU), [], losses.perturbation

    def noted(gradient, spread, slot, texts, norm):
        made.append((slot, texts, norm, original(gradient, spread, slot, texts, norm)))
        return made[-1][-1]

    monkeypatch.setattr(losses, "perturbation", noted)
    losses.accumulate(
        model, batch, torch.ones(7), TrainingConfig(adversarial=1.0),
        lambda logits: logits.square().sum(),
    )  # fmt: skip
    [(slot, texts, norm, step)] = made
    lengths = slot.bincount()
    assert lengths.tolist() == whole.steps()[batch.rows].tolist()
    norms = torch.zeros(texts).index_add(0, slot, step.square().sum(1)).sqrt()
    torch.testing.assert_close(norms, norm * lengths.sqrt())


def long_examples(count: int, seed: int) -> Examples:
    """Texts in whose middle, which head and tail do not see, one token decides."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    rows = [rng.integers(4, 50, rng.integers(30, 50)).astype(np.int32) for _ in range(count)]
    for row, label in zip(rows, labels, strict=True):
        row[rng.integers(12, 18)] = 2 + label
    return Examples(Sequences.of(rows), labels)


def trainer(epochs: int = 3, **changes) -> Trainer:
    torch.manual_seed(0)
    dry = {"word_dropout": 0.0, "embedding_dropout": 0.0, "output_dropout": 0.0}
    model = Network(2, ModelConfig(hidden_size=8, pooling=["max"], **dry), **SIZES)
    train, validation = (
        Examples(made.sequences.windowed(WINDOW, OVERLAP), made.labels)
        for made in (long_examples(200, 0), long_examples(100, 1))
    )
    settings = TrainingConfig(
        **{"epochs": epochs, "batch_size": 16, "learning_rate": 0.02, "ema": 0.0, **changes}
    )
    return Trainer(model, Data(train, validation), settings, CPU)


def test_windows_learn_what_truncation_cannot_see():
    run = trainer(5)
    list(run.run())
    assert max(record["validation"]["accuracy"] for record in run.history) > 0.95
    cut = trainer(5)
    for one in (cut.data.train, cut.data.validation):
        object.__setattr__(one, "sequences", one.sequences.truncated(WINDOW, "head+tail"))
    list(cut.run())
    assert max(record["validation"]["accuracy"] for record in cut.history) < 0.7


@pytest.mark.parametrize(
    "settings", [{}, {"max_windows": 2}, {"sampling": "balanced", "focal": 1.5, "max_windows": 3}]
)
def test_resumed_equals_uninterrupted(settings, tmp_path):
    whole = trainer(**settings)
    for event in whole.run():
        assert isinstance(event, Epoch) or event.tokens <= 16 * 10 * settings.get("max_windows", 9)
    again = resumed(partial(trainer, **settings), 17, tmp_path / "c.safetensors")
    assert_equal(weights(whole), weights(again))


@pytest.fixture(scope="module")
def windowed(tmp_path_factory) -> Predictor:
    """A model of the sample that reads twenty tokens at a time."""
    settings = TINY | {
        "tokenizer.truncation": "windows", "tokenizer.max_length": 20, "tokenizer.window_overlap": 5,
        "training.adversarial": 0.5,
    }  # fmt: skip
    return sentiment.train("sample", out=tmp_path_factory.mktemp("windows") / "model", settings=settings)


def test_a_run_in_windows_is_reported(windowed, command, monkeypatch):
    report = windowed.report
    assert 0 < report["tokenizer"]["test"]["in_windows"] < 1
    assert report["tokenizer"]["test"]["truncated"] == 0
    assert {"calibration", "decision", "failures", "audit"} <= set(report)
    assert any(one["slice"] == "several windows" for one in report["failures"]["slices"])
    shown = command("report", windowed.bundle.folder)
    assert "read in several windows" in " ".join((shown.out + shown.err).split())
    texts = ["It was " + "not " * 40 + "good.", "fine"]
    found = {}
    for engine, limit in (("numpy", 1e9), ("torch", 0.0)):
        monkeypatch.setattr(predictor, "WARM", limit)
        found[engine] = windowed.predict(texts)
    for ours, theirs in zip(*found.values(), strict=True):
        assert not ours.truncated
        assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-6)


def test_all_words_of_a_long_text_are_explained(windowed, monkeypatch):
    [found] = explain.explain(windowed, ["It was " + "not " * 40 + "good."])
    assert len(found.words) == 44
    assert all(word.weight is not None and word.leave_one_out is not None for word in found.words)
    change = found.difference - found.baseline_difference
    assert sum(word.weight for word in found.words) == pytest.approx(
        change + found.completeness_error, abs=1e-5
    )
    monkeypatch.setattr(explain, "MOST_STEPS", 100)
    [untried] = explain.explain(windowed, [found.text])
    assert [word.weight for word in untried.words] == [word.weight for word in found.words]
    assert {word.leave_one_out for word in untried.words} == {untried.agreement} == {None}
    assert explanation.page([untried]).count("left out: not tried") == 44
    json.dumps(untried.as_dict())


def test_an_overlap_of_more_than_half_a_window_is_refused(command):
    done = command("train", "sample", "--set=tokenizer.truncation=windows", "--set=tokenizer.max_length=60")
    assert done.code == 2
    assert (
        "tokenizer.window_overlap = 50 is more than half of tokenizer.max_length = 60; lower it" in done.err
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tokenizer.truncation": "windows", "model.pooling": ["middle"]}, "windows have no such middle"),
        ({"training.focal": 2.0, "distillation.teachers": 1}, "training.focal is for labels"),
    ],
)
def test_what_does_not_go_together_is_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        config_io.load(overrides=settings)


def test_joined_and_mixed_sequences_are_read_in_the_same_windows():
    first, second = (sequences(*rows).windowed(WINDOW, OVERLAP) for rows in (LENGTHS, LENGTHS[::-1]))
    joined, mixed = Sequences.joined([first, second]), first.mixed(second, np.arange(len(LENGTHS)) < 3)
    assert joined.counts.tolist() == [*first.counts, *second.counts]
    assert mixed.counts.tolist() == [*second.counts[:3], *first.counts[3:]]
