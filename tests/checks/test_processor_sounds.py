"""Feature extractors against originals: openai-whisper's own spectrogram, and waves normalised by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checked import result_of
from pairs.installed import require_original
from transformers import Wav2Vec2FeatureExtractor, WhisperFeatureExtractor
from transformers.audio_utils import mel_filter_bank

from porting.checks import CheckContext, CheckResult
from porting.portfile import Portfile

CHECKS = (
    "check_processor_outputs_equal",
    "check_processor_unusual_samples",
    "check_processor_batch_invariance",
    "check_processor_saved_equal",
)
SECONDS = 2
Preprocess = Callable[[Any], dict[str, np.ndarray]]


def results(processor: Any, original: Preprocess, folder: Path) -> dict[str, CheckResult]:
    functions: dict[str, Callable[..., Any]] = {
        "ported": lambda: torch.nn.Linear(2, 2),
        "ported_processor": lambda: processor,
        "original_preprocess": original,
    }
    context = CheckContext(Portfile(folder / "portfile.py", functions, {}))
    return {name: result_of(name, context) for name in CHECKS}


def whisper(seconds: int = SECONDS) -> Preprocess:
    """The original's own code, on shorter pieces than the 30 seconds of the model."""
    require_original("whisper")
    from whisper import audio

    def preprocess(sound: Any) -> dict[str, np.ndarray]:
        made = audio.log_mel_spectrogram(audio.pad_or_trim(sound, seconds * 16000))
        return {"mel": made.numpy()}

    return preprocess


def wave(sound: Any) -> dict[str, np.ndarray]:
    sound = np.asarray(sound, np.float64)
    return {"wave": ((sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)).astype(np.float32)}


def extractor(**settings: Any) -> Any:
    return WhisperFeatureExtractor(**{"chunk_length": SECONDS, **settings})


@pytest.mark.parametrize("seconds", [SECONDS, 30])
def test_the_right_spectrogram_passes(seconds: int, tmp_path: Path) -> None:
    found = results(extractor(chunk_length=seconds), whisper(seconds), tmp_path)
    assert {check: result.status for check, result in found.items()} == dict.fromkeys(CHECKS, "passed"), [
        result.failure_message() for result in found.values()
    ]
    assert found["check_processor_outputs_equal"].figures["compared_arrays"] == 5


def test_a_right_wave_passes(tmp_path: Path) -> None:
    found = results(Wav2Vec2FeatureExtractor(), wave, tmp_path)
    assert {result.status for result in found.values()} == {"passed"}, [
        result.failure_message() for result in found.values()
    ]


class Changed(WhisperFeatureExtractor):  # type: ignore[misc]
    """The spectrogram, with a change of one step."""

    def _torch_extract_fbank_features(self, waveform: Any, device: str = "cpu") -> Any:
        sounds = torch.from_numpy(waveform).float()
        window = torch.hann_window(self.n_fft)
        power = torch.stft(sounds, self.n_fft, self.hop_length, window=window, return_complex=True).abs() ** 2
        mel = torch.from_numpy(self.mel_filters).float().T @ self.frames(power)
        logs = self.log(mel)
        return self.scaled(self.clipped(logs)).numpy()

    def frames(self, power: torch.Tensor) -> torch.Tensor:
        return power[..., :-1]

    def log(self, mel: torch.Tensor) -> torch.Tensor:
        return mel.clamp(min=1e-10).log10()

    def clipped(self, logs: torch.Tensor) -> torch.Tensor:
        return torch.maximum(logs, logs.amax((-2, -1), keepdim=True) - 8.0)

    def scaled(self, logs: torch.Tensor) -> torch.Tensor:
        return (logs + 4.0) / 4.0


class AllFrames(Changed):
    def frames(self, power: torch.Tensor) -> torch.Tensor:
        return power


class NaturalLog(Changed):
    def log(self, mel: torch.Tensor) -> torch.Tensor:
        return mel.clamp(min=1e-10).log()

    def clipped(self, logs: torch.Tensor) -> torch.Tensor:
        return torch.maximum(logs, logs.amax((-2, -1), keepdim=True) - 8.0 * float(np.log(10)))

    def scaled(self, logs: torch.Tensor) -> torch.Tensor:
        return (logs + 4.0 * float(np.log(10))) / 4.0


class NotClipped(Changed):
    def clipped(self, logs: torch.Tensor) -> torch.Tensor:
        return logs


class HigherFloor(Changed):
    def log(self, mel: torch.Tensor) -> torch.Tensor:
        return mel.clamp(min=1e-4).log10()


class NotScaled(Changed):
    def scaled(self, logs: torch.Tensor) -> torch.Tensor:
        return logs


def with_filters(**changes: Any) -> Any:
    made = extractor()
    usual = {"min_frequency": 0.0, "max_frequency": 8000.0, "norm": "slaney", "mel_scale": "slaney"}
    made.mel_filters = mel_filter_bank(
        num_frequency_bins=201, num_mel_filters=80, sampling_rate=16000, **{**usual, **changes}
    )
    return made


BUGS: dict[str, tuple[Callable[[], Any], str, str]] = {
    "another hop": (lambda: extractor(hop_length=200), "framing", "hop_length = 160"),
    "another window": (lambda: extractor(n_fft=512), "framing", "n_fft = 400"),
    "more mel bands": (lambda: extractor(feature_size=128), "mel filters", "feature_size = 80"),
    "longer chunks": (lambda: extractor(chunk_length=5), "truncation", "chunk_length = 2"),
    "padded on the left": (lambda: extractor(padding_side="left"), "pad", "padding_side = 'right'"),
    "padded with another value": (lambda: extractor(padding_value=1.0), "pad", "padding_value = 0.0"),
    "htk scale": (lambda: with_filters(mel_scale="htk"), "mel filters", "slaney"),
    "filters of equal height": (lambda: with_filters(norm=None), "mel filters", "norm slaney"),
    "filters up to 7.6 kHz": (lambda: with_filters(max_frequency=7600.0), "mel filters", "half the sampling rate"),
    "all frames": (lambda: AllFrames(chunk_length=SECONDS), "framing", "[1] positions more at the end"),
    "natural logarithm": (lambda: NaturalLog(chunk_length=SECONDS), "log", "base 10"),
    "not clipped": (lambda: NotClipped(chunk_length=SECONDS), "log", "the original cuts off small values"),
    "a higher floor": (lambda: HigherFloor(chunk_length=SECONDS), "log", "the port cuts off small values"),
    "not scaled": (lambda: NotScaled(chunk_length=SECONDS), "normalise", "0.25 * ported + 1"),
}


@pytest.mark.parametrize("name", BUGS)
def test_the_stage_of_a_seeded_sound_bug_is_named(name: str, tmp_path: Path) -> None:
    make, stage, text = BUGS[name]
    result = results(make(), whisper(), tmp_path)["check_processor_outputs_equal"]
    assert result.status == "failed"
    assert result.figures["stage"] == stage, result.message
    assert text in result.message


def test_a_wave_that_is_not_normalised_is_found(tmp_path: Path) -> None:
    result = results(Wav2Vec2FeatureExtractor(do_normalize=False), wave, tmp_path)["check_processor_outputs_equal"]
    assert result.status == "failed"
    assert result.figures["stage"] == "normalise"


@pytest.mark.parametrize("rate", [10**12, -16000, float("nan"), "16\x1b000"])
def test_a_rate_that_no_sound_has_is_an_error_of_the_portfile(rate: Any, tmp_path: Path) -> None:
    processor = Wav2Vec2FeatureExtractor()
    processor.sampling_rate = rate
    for found in results(processor, lambda sound: {"input_values": sound}, tmp_path).values():
        assert found.status in ("error", "skipped")
        assert found.status == "skipped" or "sampling_rate of the processor is " in found.message
        assert found.exit_code in (0, 4)
