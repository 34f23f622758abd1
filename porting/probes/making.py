"""The port's inputs of a probe: the given arguments, each tensor made anew in the planned shape."""

from __future__ import annotations

import torch

from porting.inputs.roles import colour_axis, constant
from porting.inputs.settings import first_of
from porting.probes.planning import Plan, time_axis
from porting.probes.surveying import Survey

DECODER_APART = 2
"""How much longer a decoder's text is than the encoder's, so that a mask over one does not fit the other."""


class Maker:
    """Makes the tensors of one probe."""

    def __init__(self, found: Survey, plan: Plan, seed: int = 0) -> None:
        """Make what ``plan`` says, from a survey of the given inputs."""
        self.found = found
        self.plan = plan
        self.generator = torch.Generator().manual_seed(seed)
        self.counted = self._counted(plan.length) if plan.padding and plan.length else None

    def tensors(self) -> dict[str, torch.Tensor]:
        """The tensors by argument name; with an added ``attention_mask`` where the plan pads and none was given."""
        made = {name: self._made(name, tensor) for name, tensor in self.found.tensors.items()}
        mask = self.found.mask
        if self.counted is not None and mask is not None and mask not in made:
            made[mask] = self.counted.long()
        return made

    def _made(self, name: str, given: torch.Tensor) -> torch.Tensor:
        role = self.found.roles[name]
        if role == "tokens":
            return self._tokens(name, given)
        if role in ("mask", "types", "positions"):
            return self._beside(name, given)
        if role in ("image", "signal"):
            return self._floats(given, self._shape(name, given))
        return self._rows_of(given) if given.dim() and given.shape[0] == self.found.rows else given.clone()

    def _length(self, name: str, given: int) -> int:
        """Of a text: that of the plan; a decoder's differs by a few from its encoder's."""
        length = self.plan.length
        texts = {tensor.shape[1] for tensor in self.found.of_role("tokens", "signal").values()}
        if length is None or given not in texts:
            return given
        both = len(self.found.of_role("tokens")) > 1
        return length + DECODER_APART if both and length > 1 and name.startswith("decoder") else length

    def _tokens(self, name: str, given: torch.Tensor) -> torch.Tensor:
        length = self._length(name, given.shape[1])
        if self.found.placeholders:
            return self._around_placeholders(given)
        rows = torch.stack([self._row(length) for _ in range(self.plan.rows)])
        counted = self.counted if self.counted is not None and self.counted.shape == rows.shape else None
        first, last = self._ends(given)
        everywhere = [special for special in self._everywhere(given) if special not in (first, last)]
        for row, kept in zip(rows, counted if counted is not None else torch.ones_like(rows).bool(), strict=True):
            places = kept.nonzero().flatten()
            if len(places) > 1:
                inner = places[1:] if last is None else places[1:-1]
                for place, special in zip(inner.flip(0), everywhere, strict=False):
                    row[place] = special
                row[places[0]] = row[places[0]] if first is None else first
                row[places[-1]] = row[places[-1]] if last is None else last
            row[~kept] = self.found.padding
        return rows.to(given.dtype)

    def _row(self, length: int) -> torch.Tensor:
        """Tokens without a meaning of their own, distinct as far as there are enough."""
        avoided = self._avoided()
        pool = torch.tensor([t for t in range(self.found.vocabulary) if t not in avoided])
        order = torch.cat(
            [torch.randperm(len(pool), generator=self.generator) for _ in range(-(-length // len(pool)))]
        )
        return pool[order[:length]]

    def _avoided(self) -> set[int]:
        """Special tokens, and what is below all that the given texts use, if something is left."""
        specials = {*self.found.specials, self.found.padding}
        texts = self.found.of_role("tokens").values()
        used = {token for tensor in texts for token in tensor.reshape(-1).tolist()} - specials
        avoided = specials | set(range(min(used, default=0)))
        return avoided if len(avoided) < self.found.vocabulary else set()

    def _ends(self, given: torch.Tensor) -> tuple[int | None, int | None]:
        """The special tokens that every given row begins and ends with."""
        mask = self.found.tensors.get(self.found.mask or "")
        counted = mask.bool() if mask is not None and mask.shape == given.shape else torch.ones_like(given).bool()
        rows = [row[kept] for row, kept in zip(given, counted, strict=True) if bool(kept.any())]
        ends = [{int(row[index]) for row in rows} for index in (0, -1)]
        specials = self.found.specials
        first, last = (end.pop() if len(end) == 1 and end <= specials else None for end in ends)
        return first, last

    def _everywhere(self, given: torch.Tensor) -> list[int]:
        """The special tokens that every given row has somewhere, but for padding: a model may look for them."""
        rows = [set(row) for row in given.tolist()]
        return sorted(set.intersection(*rows) & (self.found.specials - {self.found.padding}))

    def _around_placeholders(self, given: torch.Tensor) -> torch.Tensor:
        rows = self._rows_of(given)
        keep = torch.isin(rows, torch.tensor(sorted({*self.found.specials, self.found.padding}), dtype=rows.dtype))
        fresh = torch.stack([self._row(rows.shape[1]) for _ in rows]).to(rows.dtype)
        return torch.where(keep, rows, fresh)

    def _beside(self, name: str, given: torch.Tensor) -> torch.Tensor:
        """Masks, types and positions: as those given, for the new shape of the text."""
        length = self._length(name, given.shape[-1])
        if self.found.roles[name] == "positions":
            start = int(given.reshape(-1)[0])
            row = torch.arange(start, start + length, dtype=given.dtype)
            return row if given.dim() == 1 else row.repeat(1 if given.shape[0] == 1 else self.plan.rows, 1)
        if self.found.roles[name] == "mask":
            kept = torch.ones(self.plan.rows, length, dtype=torch.bool)
            padded = self.counted is not None and self.counted.shape == kept.shape and name == self.found.mask
            return (self.counted if padded and self.counted is not None else kept).to(given.dtype)
        later = torch.arange(length) >= (length + 1) // 2
        known = first_of(self.found.settings, ("type_vocab_size",))
        kinds = (
            int(given.max()) if known is None or not constant(given) else max(int(given.max()), min(1, known[1] - 1))
        )
        return (later.to(given.dtype) * kinds + int(given.min()) * ~later).repeat(self.plan.rows, 1).to(given.dtype)

    def _shape(self, name: str, given: torch.Tensor) -> tuple[int, ...]:
        shape = [self.plan.rows, *given.shape[1:]]
        if self.found.roles[name] == "image" and self.plan.size:
            axis = 2 if colour_axis(given) == 1 else 1
            shape[axis : axis + 2] = self.plan.size
        elif self.found.roles[name] == "signal" and self.plan.length and not self.found.of_role("tokens"):
            shape[time_axis(self.found, tuple(given.shape))] = self.plan.length
        return tuple(shape)

    def _floats(self, given: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """Noise with the mean, spread and range of what was given."""
        values = given.double()
        spread = float(values.std()) if given.numel() > 1 else 0.0
        noise = torch.randn(shape, generator=self.generator, dtype=torch.float64)
        if spread == 0:
            return (noise + float(values.mean())).to(given.dtype)
        made = (noise * spread + float(values.mean())).clamp(float(values.min()), float(values.max()))
        if self.counted is not None and len(shape) == 2 and tuple(self.counted.shape) == shape:
            made = made * self.counted
        return made.to(given.dtype)

    def _rows_of(self, given: torch.Tensor) -> torch.Tensor:
        """The given rows, over again as often as needed."""
        return given[torch.arange(self.plan.rows) % given.shape[0]].clone()

    def _counted(self, length: int) -> torch.Tensor:
        """Which positions count: rows of falling lengths, the first without padding."""
        rows = self.plan.rows
        lengths = torch.tensor([max(1, round(length * (rows - row) / rows)) for row in range(rows)])
        places = torch.arange(length)
        return places >= length - lengths[:, None] if self.plan.padding == "left" else places < lengths[:, None]
