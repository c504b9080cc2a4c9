"""Sound in files becomes features, and a folder of it is trained on with one command."""

import json

import numpy as np
import pytest
from scipy.io import wavfile
from scipy.signal import chirp

from sentiment.core.sections.data import CorpusConfig
from sentiment.data.audio import of_sound, read_file
from sentiment.data.corpus import read_corpus

OPTIONS = [
    "--set=training.epochs=8", "--set=training.learning_rate=0.02", "--set=training.batch_size=8",
    "--set=model.hidden_size=8", "--set=report.bootstrap=100", "--set=corpus.audio_bands=20",
]  # fmt: skip


def tone(frequency, rate=16_000, seconds=0.5):
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def test_a_higher_tone_is_in_a_higher_band_10_ms_a_step():
    bands = []
    for frequency in (200, 800, 3000, 7000):
        features = of_sound(16_000, tone(frequency), CorpusConfig())
        assert features.shape == (50, 40)
        bands.append(int(np.median(features.argmax(1))))
    assert bands == sorted(set(bands))


def test_mfcc_are_13_numbers_and_a_file_always_gives_the_same():
    config = CorpusConfig(audio="mfcc")
    sound = np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32)
    assert of_sound(16_000, sound, config).shape == (50, 13)
    assert np.array_equal(of_sound(16_000, sound, config), of_sound(16_000, sound, config))


def test_other_rates_are_brought_to_one():
    expected = of_sound(16_000, tone(500), CorpusConfig())[5:-5]
    for rate in (8_000, 44_100):
        found = of_sound(rate, tone(500, rate), CorpusConfig())[5:-5]
        assert found.shape == expected.shape
        assert np.array_equal(found.argmax(1), expected.argmax(1))
        np.testing.assert_allclose(found.max(1), expected.max(1), atol=0.2)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.float32])
def test_every_form_of_samples_is_the_same_sound(kind, tmp_path):
    sound = tone(500)
    written = {
        np.uint8: lambda: np.round(sound * 127 + 128).astype(np.uint8),
        np.int16: lambda: np.round(sound * 32_767).astype(np.int16),
        np.int32: lambda: np.round(sound * (2.0**31 - 129)).astype(np.int32),
        np.float32: lambda: np.stack([1.5 * sound, 0.5 * sound], 1),  # two channels: their mean
    }[kind]()
    wavfile.write(tmp_path / "one.wav", 16_000, written)
    expected = of_sound(16_000, sound, CorpusConfig())
    found = read_file(tmp_path / "one.wav", CorpusConfig())
    loud = expected > expected.max() - 5  # quieter bands have the noise of rounding
    np.testing.assert_allclose(found[loud], expected[loud], atol=0.05)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "not understood"), (b"RIFF....WAVE", "Unexpected end"), (b"RIFF", "unpack")],
)
def test_what_is_no_sound_is_a_bad_row(content, message, tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        wavfile.write(tmp_path / label / "good.wav", 16_000, tone(300))
    (tmp_path / "a" / "bad.wav").write_bytes(content)
    wavfile.write(tmp_path / "b" / "short.wav", 16_000, np.zeros(10, np.int16))
    split = read_corpus(CorpusConfig(name=str(tmp_path))).splits["train"]
    assert split.labels == ["a", "b"]
    assert "bad.wav: " in split.invalid[0]
    assert message in split.invalid[0]
    assert "10 samples of sound, which is too short" in split.invalid[1]


def sweep(label, rng, rate):
    ends = {"down": (3000, 600), "flat": (1300, 1300), "up": (600, 3000)}[label]
    time = np.arange(int(rate * rng.uniform(0.2, 0.4))) / rate
    sound = chirp(time, ends[0], time[-1], ends[1]) * rng.uniform(0.1, 0.8)
    return ((sound + rng.normal(0, 0.01, len(time))) * 20_000).astype(np.int16)


@pytest.mark.slow
def test_a_folder_of_sounds_is_trained_on_and_predicted(tmp_path, command):
    rng = np.random.default_rng(0)
    for number in range(60):
        label = ("down", "flat", "up")[number % 3]
        for name in ("sounds", "new") if number < 12 else ("sounds",):
            rate = 16_000 if number % 2 else 8_000
            folder = tmp_path / name / label
            folder.mkdir(parents=True, exist_ok=True)
            wavfile.write(folder / f"{number}.wav", rate, sweep(label, rng, rate))
    (tmp_path / "sounds" / "_background_noise_").mkdir()
    wavfile.write(tmp_path / "sounds" / "_background_noise_" / "hum.wav", 16_000, tone(50))
    (tmp_path / "new" / "up" / "broken.wav").write_bytes(b"RIFF")
    model = tmp_path / "model"
    done = command("train", tmp_path / "sounds", "--out", model, *OPTIONS)
    assert done.code == 0, done.err
    report = json.loads((model / "report.json").read_text("utf-8"))
    assert report["corpus"]["labels"] == ["down", "flat", "up"]
    assert report["test"]["accuracy"] > 0.8
    done = command("predict", "--model", model, "--input", tmp_path / "new")
    rows = {row["id"]: row for row in map(json.loads, done.out.splitlines())}
    assert done.code == 1
    assert "broken.wav" in rows.pop("up/broken.wav")["error"]
    assert len(rows) == 12
    assert sum(row["label"] == name.split("/")[0] for name, row in rows.items()) > 9
    one = command("predict", "--model", model, "--input", tmp_path / "new" / "up" / "2.wav")
    assert json.loads(one.out)["probabilities"] == pytest.approx(rows["up/2.wav"]["probabilities"], abs=2e-6)
