"""A working folder with everything on the disk: an original, its checkpoint, a port, its weights and tokenizer."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import torch

ORIGINAL = """
import torch
from torch import nn


class Original(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.up, self.down = nn.Embedding(12, 6), nn.Linear(6, 8), nn.Linear(8, 6)

    def forward(self, tokens):
        return self.down(torch.tanh(self.up(self.words(tokens))))
"""
CONFIG = """
from transformers import PreTrainedConfig


class {name}Config(PreTrainedConfig):
    model_type = "{low}"

    def __init__(self, vocab_size=12, hidden_size=6, wide=8, **kwargs):
        self.vocab_size, self.hidden_size, self.wide = vocab_size, hidden_size, wide
        super().__init__(**kwargs)
"""
PORT = '''
import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from configuration_{low} import {name}Config
from layers_{low} import Feedforward


class {name}Model(PreTrainedModel):
    """A small model."""

    config_class = {name}Config

    def __init__(self, config):
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.mlp = Feedforward(config.hidden_size, config.wide)
        self.post_init()

    def forward(self, input_ids, attention_mask=None, **kwargs):
        """Run it."""
        return BaseModelOutput(last_hidden_state=self.mlp(self.embed_tokens(input_ids)))
'''
LAYERS = """
import torch
from torch import nn


class Feedforward(nn.Module):
    def __init__(self, hidden, wide):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(hidden, wide), nn.Linear(wide, hidden)

    def forward(self, x):
        return self.fc2(torch.tanh(self.fc1(x)))
"""
RENAMES = """
from porting.weights import Rename

RULES = [
    Rename("words.{part}", "embed_tokens.{part}"),
    Rename("up.{part}", "mlp.fc1.{part}"),
    Rename("down.{part}", "mlp.fc2.{part}"),
]
"""
PORTFILE = """
from pathlib import Path

TOLERANCE = {{"atol": 1e-4, "rtol": 1e-4}}


def original():
    import torch
    from original_{low} import Original

    model = Original()
    model.load_state_dict(torch.load(checkpoint(), weights_only=True))
    return model.eval()


def ported():
    from modeling_{low} import {name}Model

    return {name}Model.from_pretrained("converted").eval()


def inputs():
    import torch

    return {{"input_ids": torch.arange(8).reshape(2, 4)}}


def run_original(model, inputs):
    return model(inputs["input_ids"])


def outputs(original_out, ported_out):
    return [("states", original_out, ported_out.last_hidden_state)]


def checkpoint():
    return "original.pt"


def rules():
    from rules_{low} import RULES

    return RULES


def ported_tokenizer():
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained("converted")


def words():
    return {{word: number for number, word in enumerate(Path("vocabulary.txt").read_text().split())}}


def original_tokenize(text):
    known = words()
    return [known.get(word, 0) for word in text.split()]
"""


def write_folder(folder: Path, name: str = "Tiny") -> Path:
    """Write it, converted folder included; the modules carry the name, as Python loads each only once.

    Returns:
        The portfile.
    """
    low = name.lower()
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        f"original_{low}.py": ORIGINAL,
        f"configuration_{low}.py": CONFIG,
        f"modeling_{low}.py": PORT,
        f"layers_{low}.py": LAYERS,
        f"rules_{low}.py": RENAMES,
        "portfile.py": PORTFILE,
    }
    for file, text in texts.items():
        plain = file.startswith(("original", "layers", "rules"))
        (folder / file).write_text(text if plain else text.format(name=name, low=low))
    _write_data(folder, low, name)
    return folder / "portfile.py"


def _write_data(folder: Path, low: str, name: str) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    sys.path.insert(0, str(folder))
    try:
        original = importlib.import_module(f"original_{low}").Original()
        modeling: Any = importlib.import_module(f"modeling_{low}")
    finally:
        sys.path.remove(str(folder))
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in original.parameters():
            parameter.normal_()
    state = original.state_dict()
    torch.save(state, folder / "original.pt")
    port = getattr(modeling, f"{name}Model")(getattr(modeling, f"{name}Config")())
    new = {"words": "embed_tokens", "up": "mlp.fc1", "down": "mlp.fc2"}
    port.load_state_dict({f"{new[key.split('.')[0]]}.{key.split('.')[1]}": value for key, value in state.items()})
    port.save_pretrained(folder / "converted")
    vocabulary = ["<unk>", *"abcdefghijk"]
    (folder / "vocabulary.txt").write_text("\n".join(vocabulary))
    made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(vocabulary)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>").save_pretrained(folder / "converted")
