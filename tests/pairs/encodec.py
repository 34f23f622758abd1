"""EnCodec of encodec and `EncodecModel`: causal convolutions, weight norm, an LSTM, code books."""

from __future__ import annotations

import torch
from pairs.pair import Pair
from pairs.rules import converted
from pairs.stubs import stubbed
from pairs.weights import load, randomize
from torch import nn
from transformers import EncodecConfig, EncodecModel

from porting.runs import Inputs

with stubbed("torchaudio"):
    from encodec.model import EncodecModel as Original
    from encodec.modules import SEANetDecoder, SEANetEncoder
    from encodec.quantization import ResidualVectorQuantizer

WIDTH, FILTERS, RATIOS, BINS, BOOKS = 16, 4, [4, 2], 16, 4
NAMES = {
    "encoder.model.": "encoder.layers.",
    "decoder.model.": "decoder.layers.",
    ".conv.conv": ".conv",
    ".convtr.convtr": ".conv",
}


def build() -> Pair:
    """Four code books, so the output passes through integer codes."""
    with stubbed():  # for the warnings of its weight norm
        original = _original()
    randomize(original)
    generator = torch.Generator().manual_seed(0)
    for layer in original.quantizer.vq.layers:
        layer._codebook.embed.normal_(std=0.5, generator=generator)
        layer._codebook.inited.fill_(1)
    ported = EncodecModel(
        EncodecConfig(
            target_bandwidths=[48.0],
            sampling_rate=24000,
            num_filters=FILTERS,
            hidden_size=WIDTH,
            upsampling_ratios=RATIOS,
            codebook_size=BINS,
            codebook_dim=WIDTH,
            use_causal_conv=True,
        )
    )
    load(ported, converted("encodec", original.state_dict(), ported.config))
    audio = torch.randn(2, 1, 160, generator=generator)
    return Pair(
        original.eval(),
        ported.eval(),
        Inputs(kwargs={"x": audio}),
        Inputs(kwargs={"input_values": audio, "bandwidth": 48.0}),
        _modules(original),
        lambda old, new: [("audio", old, new.audio_values)],
        attentions=(),
    )


def _original() -> Original:
    sizes = {"channels": 1, "dimension": WIDTH, "n_filters": FILTERS, "ratios": RATIOS, "causal": True}
    quantizer = ResidualVectorQuantizer(dimension=WIDTH, n_q=BOOKS, bins=BINS)
    original = Original(SEANetEncoder(**sizes), SEANetDecoder(**sizes), quantizer, [48.0], 24000, 1)
    original.set_target_bandwidth(48.0)
    return original


def _ported(name: str) -> str:
    for old, new in NAMES.items():
        name = name.replace(old, new)
    return name


def _modules(original: nn.Module) -> dict[str, str]:
    """Blocks, and of every padded convolution itself and the bare one within, before padding is cut off."""
    kinds = ("SConv1d", "SConvTranspose1d", "SEANetResnetBlock", "SLSTM")
    modules = {"encoder": "encoder", "decoder": "decoder"}
    for path, module in original.named_modules():
        if path.endswith((".conv.conv", ".convtr.convtr")) or type(module).__name__ in kinds:
            modules[path] = _ported(path)
    return modules
