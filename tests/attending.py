"""A model with one attention whose every step can be chosen, to be its own port with one step wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from porting import Verification, verify

WIDTH, HEADS, GROUPS, LENGTH = 32, 4, 2, 10
SIZE = WIDTH // HEADS


@dataclass(frozen=True)
class Steps:
    """How the attention is computed; the original's way unless said otherwise."""

    kernel: str = "eager"
    scale: float = SIZE**-0.5
    mask: str = "causal"
    padded: bool = True
    closed: float = float("-inf")
    layout: str = "halves"
    turned: int = SIZE
    theta: float = 100.0
    turns: str = "both"
    repeat: str = "interleave"
    split: str = "heads"
    merge: str = "heads"
    order: str = "qkv"
    axis: int = -1
    dtype: torch.dtype = torch.float32
    cap: float | None = None
    slopes: float = 0.0
    normed: bool = False
    curved: float = 0.0
    out: float = 1.0


class Attention(nn.Module):
    """Grouped attention with rotary positions, in as many ways as there are steps."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self.steps = steps
        self.q_proj = nn.Linear(WIDTH, WIDTH)
        self.k_proj, self.v_proj = (nn.Linear(WIDTH, GROUPS * SIZE) for _ in range(2))
        self.o_proj = nn.Linear(WIDTH, WIDTH)
        if steps.kernel == "modules":
            self.softmax, self.dropout = nn.Softmax(-1), nn.Dropout(0.1)
        if steps.normed:
            self.q_norm, self.k_norm = (nn.RMSNorm(SIZE, eps=1e-6) for _ in range(2))

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        query, key, value = (self.split(layer(x)) for layer in (self.q_proj, self.k_proj, self.v_proj))
        if self.steps.normed:
            query, key = self.q_norm(query), self.k_norm(key)
        query = query if self.steps.turns in ("keys", "none") else self.turn(query)
        key = key if self.steps.turns in ("queries", "none") else self.turn(key, back=self.steps.turns == "keys back")
        value = self.turn(value) if self.steps.turns == "values" else value
        if self.steps.order == "qvk":
            key, value = value, key
        mixed = self.attend(query, self.repeat(key), self.repeat(value), mask)
        result: torch.Tensor = self.o_proj(self.merge(mixed))
        return result

    def split(self, x: torch.Tensor) -> torch.Tensor:
        if self.steps.split == "size":
            return x.view(*x.shape[:2], SIZE, -1).permute(0, 3, 1, 2)
        return x.view(*x.shape[:2], -1, SIZE).transpose(1, 2)

    def turn(self, x: torch.Tensor, back: bool = False) -> torch.Tensor:
        size = self.steps.turned
        angles = torch.outer(torch.arange(LENGTH), self.steps.theta ** (-torch.arange(0, size, 2) / size))
        cos, sin = angles.cos(), angles.sin() * (-1 if back else 1)
        part, rest = x[..., :size], x[..., size:]
        if self.steps.layout == "halves":
            one, other = part.chunk(2, -1)
            return torch.cat((one * cos - other * sin, other * cos + one * sin, rest), -1)
        one, other = part[..., 0::2], part[..., 1::2]
        turned = torch.stack((one * cos - other * sin, other * cos + one * sin), -1).flatten(-2)
        return torch.cat((turned, rest), -1)

    def repeat(self, x: torch.Tensor) -> torch.Tensor:
        times = HEADS // GROUPS
        return x.repeat(1, times, 1, 1) if self.steps.repeat == "tile" else x.repeat_interleave(times, 1)

    def allowed(self, mask: torch.Tensor) -> torch.Tensor:
        ahead = torch.arange(LENGTH)[None] - torch.arange(LENGTH)[:, None]
        seen = {
            "causal": ahead <= 0,
            "shifted": ahead <= 1,
            "window": (ahead <= 0) & (ahead > -4),
            "none": ahead < LENGTH,
            "inverted": ahead > 0,
        }[self.steps.mask]
        padding = mask.bool()[:, None, None] if self.steps.padded else torch.ones(1, 1, 1, LENGTH, dtype=torch.bool)
        return seen & padding | torch.eye(LENGTH, dtype=torch.bool)

    def bias(self) -> torch.Tensor:
        ahead = torch.arange(LENGTH)[None] - torch.arange(LENGTH)[:, None]
        slopes = 2.0 ** (-8 * torch.arange(1, HEADS + 1) / HEADS)
        return self.steps.slopes * slopes[:, None, None] * ahead

    def attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        allowed = self.allowed(mask)
        if self.steps.kernel == "fused":
            return F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, scale=self.steps.scale)
        if self.steps.kernel == "einsum":
            scores = torch.einsum("bhqd,bhkd->bhqk", q * self.steps.scale, k)
        else:
            scores = q @ k.transpose(-1, -2) * self.steps.scale
        cap = self.steps.cap
        scores = scores if cap is None else cap * torch.tanh(scores / cap)
        scores = scores + self.steps.curved * scores.sin() if self.steps.curved else scores
        scores = scores + self.bias() if self.steps.slopes else scores
        closed = torch.where(allowed, 0.0, self.steps.closed)
        if self.steps.kernel == "modules":
            used: torch.Tensor = self.dropout(self.softmax(scores + closed.clamp(min=-1e4))) @ v
            return used
        weights = (scores + closed).to(self.steps.dtype).softmax(self.steps.axis).float()
        mixed: torch.Tensor = (
            torch.einsum("bhqk,bhkd->bhqd", weights, v) if self.steps.kernel == "einsum" else weights @ v
        )
        return mixed * self.steps.out

    def merge(self, x: torch.Tensor) -> torch.Tensor:
        x = x if self.steps.merge == "not transposed" else x.transpose(1, 2)
        return x.reshape(len(x), LENGTH, WIDTH)


class Model(nn.Module):
    """An embedding, one attention and a head."""

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self.embed, self.attention, self.head = nn.Embedding(50, WIDTH), Attention(steps), nn.Linear(WIDTH, 50)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x = self.embed(input_ids)
        logits: torch.Tensor = self.head(x + self.attention(x, attention_mask))
        return logits


def verified(original: Steps, ported: Steps, **kwargs: Any) -> Verification:
    """The port verified with both sides' weights alike."""
    torch.manual_seed(0)
    one = Model(original).eval()
    with torch.no_grad():
        for name, parameter in one.named_parameters():
            parameter.normal_(
                1.0 if "norm" in name else 0.0, 0.5 if parameter.dim() == 1 else parameter.shape[1] ** -0.5 * 1.5
            )
    other = Model(ported).eval()
    other.load_state_dict({name: tensor for name, tensor in one.state_dict().items() if name in other.state_dict()})
    mask = torch.ones(2, LENGTH, dtype=torch.long)
    mask[1, :3] = 0
    return verify(one, other, {"input_ids": torch.randint(0, 50, (2, LENGTH)), "attention_mask": mask}, **kwargs)


def found(original: Steps, **wrong: Any) -> list[tuple[str, bool]]:
    """Code and proof of each cause at the first culprit of a port that is wrong in one way."""
    causes = verified(original, replace(original, **wrong)).culprits[0].causes
    return [(cause.code, cause.verified) for cause in causes]
