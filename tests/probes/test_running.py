from __future__ import annotations

from typing import Any

import pytest
import torch
from blindness import VOCABULARY, Decoder, Pooled, Seer, ids, padded
from torch import nn

from porting import Inputs, PortingError, capture, verify
from porting.probes import Probe
from porting.verification import Verification

FULL = torch.ones(2, 8, dtype=torch.long)
DYNAMIC = {"rope_parameters": {"rope_type": "dynamic", "original_max_position_embeddings": 16}}


def probes(verification: Verification) -> dict[str, Probe]:
    return {probe.name: probe for probe in verification.probes}


@pytest.mark.parametrize(
    ("original", "ported", "inputs", "seen"),
    [
        (Decoder(), Decoder(causal=False), {"input_ids": torch.full((2, 8), 5)}, "batch"),
        (Decoder(), Decoder(padding=False), {"input_ids": ids(2, 8)}, "padded-left"),
        (Decoder(), Decoder(padding=False), {"input_ids": ids(2, 8), "attention_mask": FULL}, "padded-left"),
        (Decoder(window=8), Decoder(config={"sliding_window": 8}), {"input_ids": ids(2, 8)}, "long"),
        (Decoder(start=16), Decoder(config=DYNAMIC), {"input_ids": ids(2, 7)}, "scaled-rotation"),
        (Decoder(), Decoder(rotate="pairs"), {"input_ids": ids(2, 1)}, "batch"),
        (Pooled(), Pooled(masked=False), {"input_ids": ids(2, 8), "attention_mask": FULL}, "padded-right"),
        (Seer(), Seer(exchanged=True), {"pixel_values": torch.ones(2, 3, 9, 9)}, "batch"),
        (Seer(), Seer(same=True), {"pixel_values": torch.randn(2, 3, 9, 11)}, "image-size"),
    ],
)
def test_a_probe_sees_what_blind_inputs_do_not(
    original: nn.Module, ported: nn.Module, inputs: dict[str, torch.Tensor], seen: str
) -> None:
    blind = verify(original, ported, inputs, probe=True)
    assert blind.comparison.verdict == "match"
    assert probes(blind)[seen].verdict in ("mismatch", "suspicious")
    assert blind.verdict == "mismatch" or blind.exit_code == 0
    assert seen in blind.summary()


def test_a_healthy_pair_matches_under_every_probe() -> None:
    verification = verify(Decoder(window=8), Decoder(window=8, config={"sliding_window": 8}), padded(2, 8), probe=True)
    assert {probe.verdict for probe in verification.probes} == {"match"}
    assert set(probes(verification)) == {"batch", "long", "padded-right", "padded-left", "single-token"}
    assert verification.exit_code == 0


def test_causes_of_what_the_given_run_shows_are_not_sought_again() -> None:
    verification = verify(Decoder(), Decoder(causal=False), padded(2, 8), probe=True)
    assert verification.given_verdict == "mismatch"
    culprits = [culprit for probe in verification.probes for culprit in probe.culprits]
    assert culprits
    assert not any(culprit.causes for culprit in culprits)


def test_inputs_of_no_known_kind_say_so() -> None:
    (probe,) = verify(nn.Identity(), nn.Identity(), (torch.randn(2, 2, 2, 2, 2),), probe=True).probes
    assert probe.verdict == "skipped"
    assert "none of the inputs" in probe.reason


def test_probes_are_not_run_unasked() -> None:
    assert verify(Decoder(), Decoder(), padded(2, 8)).probes == ()


class TimeFirst(Decoder):
    """Takes time first, lengths, a mask of four dimensions, and counted positions."""

    def forward(  # type: ignore[override]
        self, tokens: torch.Tensor, lengths: torch.Tensor, kept: torch.Tensor, positions: torch.Tensor, flag: int = 1
    ) -> torch.Tensor:
        assert lengths.tolist() == kept.sum((1, 2, 3)).tolist()
        assert positions.tolist() == list(range(len(tokens)))
        return super().forward(tokens.T, kept[:, 0, 0].long())


def test_the_originals_inputs_are_made_as_they_are_made_of_the_ports() -> None:
    inputs = padded(2, 8)
    mask = inputs["attention_mask"]
    first = (inputs["input_ids"].T.contiguous(), mask.sum(1), mask.bool()[:, None, None], torch.arange(8), 1)
    verification = verify(TimeFirst(), Decoder(), inputs, original_inputs=first, probe=True)
    assert [probe.verdict for probe in verification.probes] == ["match"] * 5


def test_an_input_of_the_original_that_is_none_of_the_ports_skips_probes_with_the_reason() -> None:
    class Biased(Decoder):
        def forward(self, input_ids: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
            return super().forward(input_ids) + 0 * bias.sum()

    first = {"input_ids": ids(2, 8), "bias": torch.randn(2, 8)}
    verification = verify(Biased(), Decoder(), {"input_ids": ids(2, 8)}, original_inputs=first, probe=True)
    assert {probe.verdict for probe in verification.probes} == {"skipped"}
    assert "bias is none of the port's" in probes(verification)["batch"].reason
    assert verification.exit_code == 0


def test_a_mask_that_the_original_does_not_get_is_no_difference() -> None:
    inputs = {"input_ids": ids(2, 8), "attention_mask": FULL}
    verification = verify(Decoder(), Decoder(), inputs, original_inputs={"input_ids": ids(2, 8)}, probe=True)
    assert probes(verification)["padded-left"].verdict == "skipped"
    assert "no mask" in probes(verification)["padded-left"].reason
    assert probes(verification)["long"].verdict == "match"


class Short(Decoder):
    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        if input_ids.shape[1] > 8:
            raise ValueError("too long")
        return super().forward(input_ids, attention_mask)


def test_where_the_original_raises_is_skipped_and_where_the_port_alone_does_is_a_difference() -> None:
    skipped = probes(verify(Short(), Decoder(), padded(2, 8), probe=True))["long"]
    assert skipped.verdict == "skipped"
    assert "too long" in skipped.reason
    verification = verify(Decoder(), Short(), padded(2, 8), probe=True)
    assert probes(verification)["long"].verdict == "mismatch"
    assert "too long" in probes(verification)["long"].reason
    assert verification.exit_code == 1
    assert verification.given_verdict == "match"


def test_outputs_made_for_the_given_inputs_skip_a_probe() -> None:
    mask = padded(2, 8)["attention_mask"].bool()
    verification = verify(
        Decoder(), Decoder(), padded(2, 8), outputs=lambda one, other: [("x", one[mask], other[mask])], probe=True
    )
    assert {probe.verdict for probe in verification.probes} == {"skipped"}
    assert "outputs() raised IndexError" in probes(verification)["long"].reason


def test_tokens_are_distinct_of_the_vocabulary_and_special_ones_stay_at_the_ends() -> None:
    seen: list[dict[str, Any]] = []

    def run(model: nn.Module, inputs: Inputs) -> Any:
        seen.append({name: value.clone() for name, value in inputs.kwargs.items()})
        return inputs.forward(model)

    given = padded(2, 8)
    given["input_ids"][given["attention_mask"].bool()] += 3
    given["input_ids"].clamp_(max=VOCABULARY - 1)
    given["input_ids"][:, -1] = 2
    config = {"bos_token_id": 1, "eos_token_id": 2, "mask_token_id": 3}
    verify(Decoder(), Decoder(config=config), given, run_original=run, probe=True)
    for inputs in seen[1:]:
        for row, mask in zip(inputs["input_ids"].tolist(), inputs["attention_mask"].bool().tolist(), strict=True):
            kept = [token for token, counts in zip(row, mask, strict=True) if counts]
            assert len(set(kept)) == len(kept) or len(kept) > VOCABULARY - 4
            assert all(token not in (0, 1, 2, 3) for token in kept[:-1])
            assert len(kept) < 2 or kept[-1] == 2
            assert all(token == 0 for token, counts in zip(row, mask, strict=True) if not counts)


def test_a_recorded_original_cannot_be_probed() -> None:
    trace = capture(Decoder(), padded(2, 8))
    with pytest.raises(PortingError, match="--probe runs both models on new inputs") as caught:
        verify(trace, Decoder(), padded(2, 8), probe=True)
    assert caught.value.exit_code == 4
    assert "live original" in caught.value.hint


class Wave(nn.Module):
    def __init__(self, padding: int = 1) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv1d(1, 6, 4, stride=4)
        self.late = nn.Conv1d(6, 6, 3, padding=1)
        self.padding = padding

    def forward(self, input_values: torch.Tensor) -> torch.Tensor:
        missing = -input_values.shape[-1] % 4 * self.padding
        result: torch.Tensor = self.late(self.conv(nn.functional.pad(input_values, (0, missing))).relu())
        return result


def test_sound_is_probed_with_lengths_that_no_stride_divides() -> None:
    sound = {"input_values": torch.randn(2, 1, 32)}
    verification = verify(Wave(), Wave(padding=0), sound, probe=True)
    found = probes(verification)
    assert {name: probe.verdict for name, probe in found.items()} == {
        "batch": "match",
        "long": "match",
        "odd-length": "mismatch",
    }


def test_results_are_documented_json() -> None:
    document = verify(Decoder(), Decoder(padding=False), {"input_ids": ids(2, 8)}, probe=True).to_dict()
    assert document["verdict"] == "mismatch"
    assert document["given_verdict"] == "match"
    by_name = {probe["name"]: probe for probe in document["probes"]}
    assert by_name["padded-left"]["culprits"]
    assert by_name["padded-left"]["max_abs"] > 1e-3
    assert document["reinit"] is None
