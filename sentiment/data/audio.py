"""Files of features and of sound → arrays (T, F): .npy, .npz, and .wav by log-mel energies or MFCC."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sentiment.core.errors import UsageError
from sentiment.data.features import Array

if TYPE_CHECKING:  # predicting reads no settings that are worth the import
    from sentiment.core.sections.data import CorpusConfig

SUFFIXES = (".npz", ".npy", ".wav")


def read_file(file: Path, config: CorpusConfig) -> Any:
    """Return what is in a file with one of `SUFFIXES`.

    Parameters
    ----------
    config
        What is computed of sound: ``audio``, ``audio_bands`` and ``audio_rate``.

    Raises
    ------
    ValueError
        If it cannot be read.
    UsageError
        If the library that sound needs is not there.
    """
    try:
        if file.suffix != ".wav":
            return _read_array(file)
        rate, samples = _read_wav(file)
    except Exception as error:  # of damaged files SciPy and NumPy raise whatever they stumble over
        raise ValueError(f"cannot be read: {error}") from error
    return of_sound(rate, samples, config)


def read_label(file: Path) -> Any:
    """Return the ``label`` in an .npz, or None if there is none; ValueError if it is not a single value."""
    with np.load(file, allow_pickle=False) as found:
        return found["label"].item() if "label" in found.files else None


def of_sound(rate: int, samples: Array, config: CorpusConfig) -> Array:
    """Return log-mel energies (T, bands), or 13 MFCC (T, 13), of every 25 ms, 10 ms apart.

    Parameters
    ----------
    rate
        Samples a second, which are brought to ``audio_rate`` first.
    samples
        (N,) from −1 to 1.
    """
    try:
        import kaldi_native_fbank as kaldi
    except ImportError as error:
        raise UsageError("sound needs a library: pip install 'sentiment[audio]'") from error
    if rate != config.audio_rate and len(samples):
        from scipy.signal import resample_poly

        common = int(np.gcd(rate, config.audio_rate))
        samples = resample_poly(samples, config.audio_rate // common, rate // common).astype(np.float32)
    mfcc = config.audio == "mfcc"
    options = kaldi.MfccOptions() if mfcc else kaldi.FbankOptions()
    options.frame_opts.samp_freq = config.audio_rate
    options.frame_opts.dither = 0  # random, and a file must always give the same
    options.frame_opts.snip_edges = False
    options.mel_opts.num_bins = config.audio_bands
    computer = (kaldi.OnlineMfcc if mfcc else kaldi.OnlineFbank)(options)
    computer.accept_waveform(config.audio_rate, np.ascontiguousarray(samples))
    computer.input_finished()
    frames = [computer.get_frame(number) for number in range(computer.num_frames_ready)]
    if not frames:
        raise ValueError(f"{len(samples)} samples of sound, which is too short")
    return np.stack(frames)


def _read_wav(file: Path) -> tuple[int, Array]:
    """Return samples a second, and samples from −1 to 1; of several channels, their mean."""
    from scipy.io import wavfile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks that are no sound
        rate, samples = wavfile.read(file)
    if samples.dtype == np.uint8:
        samples = samples.astype(np.float32) - 128
        samples /= 128
    elif samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
    samples = samples.astype(np.float32)
    return int(rate), samples.mean(1) if samples.ndim > 1 else samples


def _read_array(file: Path) -> Any:
    """Return the array in a .npy; of an .npz the only one beside ``label``, or that named ``features``."""
    with file.open("rb") as stream:
        found = np.load(stream, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        names = [name for name in found.files if name != "label"]
        name = names[0] if len(names) == 1 else "features"
        if name not in names:
            raise ValueError(f"{len(names)} arrays, none of which is named 'features'")
        return found[name]
