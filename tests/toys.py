"""A small decoder written twice: fused and functional as an original, split and modular as its port."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

WIDTH, HEADS, LAYERS, VOCABULARY, LENGTH = 24, 3, 3, 61, 11


class OriginalAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        parts = (part.view(batch, length, HEADS, -1).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1))
        query, key, value = parts
        scores = query @ key.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5
        weights = scores.masked_fill(~allowed, -1e9).softmax(-1)
        result: torch.Tensor = self.out((weights @ value).transpose(1, 2).reshape(batch, length, -1))
        return result


class OriginalBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(WIDTH, eps=1e-6), nn.LayerNorm(WIDTH, eps=1e-6)
        self.attn = OriginalAttention()
        self.fc1, self.fc2 = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.ln1(x), allowed)
        result: torch.Tensor = x + self.fc2(F.gelu(self.fc1(self.ln2(x))))
        return result


class Original(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tok, self.pos = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(64, WIDTH)
        self.blocks = nn.ModuleList(OriginalBlock() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        length = tokens.shape[1]
        x = self.tok(tokens) + self.pos(torch.arange(length).expand_as(tokens))
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        allowed = causal & mask.bool()[:, None, None, :]
        for block in self.blocks:
            x = block(x, allowed)
        result: torch.Tensor = self.head(self.norm(x))
        return result


class PortedAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.scaling = (WIDTH // HEADS) ** -0.5

    def forward(self, hidden_states: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, None]:
        batch, length, _ = hidden_states.shape
        query, key, value = (
            layer(hidden_states).view(batch, length, HEADS, -1).transpose(1, 2)
            for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask, scale=self.scaling)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, length, -1)), None


class PortedMLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        self.act: nn.Module = nn.GELU()

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.down(self.act(self.up(hidden_states)))
        return result


class PortedLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.input_layernorm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.post_attention_layernorm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.self_attn, self.mlp = PortedAttention(), PortedMLP()
        self.drop = nn.Dropout(0.1)

    def forward(self, hidden_states: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        mixed, _ = self.self_attn(self.input_layernorm(hidden_states), attention_mask=attention_mask)
        hidden_states = hidden_states + self.drop(mixed)
        result: torch.Tensor = hidden_states + self.mlp(self.post_attention_layernorm(hidden_states))
        return result


class PortedModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens, self.embed_positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(64, WIDTH)
        self.layers = nn.ModuleList(PortedLayer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        length = input_ids.shape[1]
        hidden_states = self.embed_tokens(input_ids) + self.embed_positions(torch.arange(length)[None])
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        mask = causal & attention_mask.bool()[:, None, None, :]
        for layer in self.layers:
            hidden_states = layer(hidden_states, mask)
        return {"last_hidden_state": self.norm(hidden_states)}


class Ported(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = PortedModel()
        self.lm_head = nn.Linear(WIDTH, VOCABULARY, bias=False)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.lm_head(self.model(input_ids, attention_mask)["last_hidden_state"])}


def converted(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The original's state dict under the port's names."""
    names = {
        "tok": "model.embed_tokens", "pos": "model.embed_positions", "norm": "model.norm", "head": "lm_head",
        "ln1": "input_layernorm", "ln2": "post_attention_layernorm", "attn.out": "self_attn.o_proj",
        "fc1": "mlp.up", "fc2": "mlp.down",
    }  # fmt: skip
    found = {}
    for key, tensor in state.items():
        owner, _, leaf = key.rpartition(".")
        prefix = ""
        if owner.startswith("blocks."):
            _, number, owner = owner.split(".", 2)
            prefix = f"model.layers.{number}."
        if owner == "attn.qkv":
            for name, part in zip("qkv", tensor.chunk(3), strict=True):
                found[f"{prefix}self_attn.{name}_proj.{leaf}"] = part.clone()
        else:
            found[f"{prefix}{names[owner]}.{leaf}"] = tensor.clone()
    return found


def make_pair(seed: int = 0) -> tuple[Original, Ported]:
    """Both models in eval mode with the same informative random weights."""
    torch.manual_seed(seed)
    original, ported = Original(), Ported()
    with torch.no_grad():
        for name, parameter in original.named_parameters():
            if parameter.dim() == 2 and name not in ("tok.weight", "pos.weight"):
                parameter.normal_(0, parameter.shape[1] ** -0.5)
            else:
                parameter.normal_(1.0 if "ln" in name and name.endswith("weight") else 0.0, 0.5)
    ported.load_state_dict(converted(original.state_dict()))
    return original.eval(), ported.eval()


def make_inputs(seed: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs of the original and of the port: two rows, the second one padded on the left."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(0, VOCABULARY, (2, LENGTH), generator=generator)
    mask = torch.ones_like(tokens)
    mask[1, :3] = 0
    return {"tokens": tokens, "mask": mask}, {"input_ids": tokens, "attention_mask": mask}
