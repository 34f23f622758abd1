"""Ask a pipeline, and the model itself, the same questions."""

from __future__ import annotations

import copy
import inspect
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch

from porting.behaviour import Subject
from porting.errors import PortingError
from porting.hooks.preserving import preserved, seed_everything
from porting.pipelines.answers import Answer
from porting.pipelines.calling import everything, forwarded, own_config, placed
from porting.pipelines.equipment import TEXTS
from porting.pipelines.tasks import NEW_TOKENS, Task, until_end
from porting.runs import Inputs
from porting.text import show
from porting.weights.audit.ties import embeddings

LEAST = 8 * float(np.finfo(np.float32).eps)
"""What float32 rounds of a score of about 1."""


class NotAskableError(PortingError):
    """The model itself takes none of the questions."""

    code = "pipeline"


class PipelineFailedError(PortingError):
    """The pipeline raised where the model itself answers."""

    code = "pipeline"


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A question to which the pipeline and the model gave different answers.

    Attributes:
        question: its number.
        max_abs: the largest difference; infinite for tokens and texts.
        allowed: the difference that rounding explains.
    """

    question: int
    max_abs: float
    allowed: float


@dataclass(frozen=True)
class Interview:
    """One task, asked of the model itself and of its pipeline.

    Attributes:
        model: the port; left as it was found.
        task: to ask.
        equipment: of the pipeline; see `Equipment.of`.
        material: images or sounds to ask with; texts are built in.
    """

    model: Any
    task: Task
    equipment: Mapping[str, Any]
    material: Sequence[Any] = ()
    _subjects: dict[int, Subject] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def questions(self) -> list[Any]:
        """Those that the model itself takes.

        Raises:
            NotAskableError: there are none.
        """
        taken, said = [], "there is none"
        for each in self._possible():
            try:
                self._answered(each)
            except Exception as error:
                said = f"{type(error).__name__}: {show(error, 300)}"
                continue
            taken.append(each)
        if not taken:
            raise NotAskableError(f"the model itself answers no question of {self.task.name}: {said}")
        return taken

    @cached_property
    def direct(self) -> list[Answer]:
        """What the model itself answers to each question."""
        return [self._answered(question) for question in self.questions]

    def alone(self) -> list[Disagreement]:
        """Every question asked by itself.

        Raises:
            NotAskableError: there is none that the model takes.
            PipelineFailedError: the pipeline raised.
        """
        return self._judged([self._piped([question], 1)[0] for question in self.questions])

    def batched(self) -> list[Disagreement]:
        """All questions asked in one batch.

        Raises:
            NotAskableError: there is none that the model takes.
            PipelineFailedError: the pipeline raised.
        """
        return self._judged(self._piped(self.questions, len(self.questions)))

    def takes_batch(self) -> bool:
        """Whether the model itself takes all questions at once."""
        rows = [self.encoded(question) for question in self.questions]
        if self.task.material == "text":
            rows = [dict(self.equipment["tokenizer"](self.questions, padding=True, return_tensors="pt"))]
        inputs = {name: torch.cat([row[name] for row in rows]) for name in rows[0]}
        try:
            Subject("ported", self.model, Inputs(kwargs=inputs), forwarded, everything).result()
        except Exception:
            return False
        return True

    @property
    def counts_from_mask(self) -> bool:
        """Whether generation tells the model the positions of tokens, counted from the mask."""
        return self.task.generates and "position_ids" in inspect.signature(self.model.forward).parameters

    @cached_property
    def causal(self) -> bool:
        """Whether what comes for a token is independent of the tokens after it, as in models that generate."""
        ids = self.encoded(max(self.questions, key=len))["input_ids"]
        whole, half = (self._hidden(ids[:, :length]) for length in (ids.shape[1], ids.shape[1] // 2))
        return bool((whole[:, : half.shape[1]] - half).abs().max() <= self._allowed)

    def _hidden(self, ids: torch.Tensor) -> torch.Tensor:
        subject = Subject("ported", self.model.base_model, Inputs(kwargs={"input_ids": ids}), forwarded, everything)
        return next(iter(subject.given.values()))

    def with_equipment(self, **changes: Any) -> Interview:
        """The same with other settings of the tokenizer or processor."""
        equipment = {name: copy.deepcopy(part) for name, part in self.equipment.items()}
        for part in equipment.values():
            for name, value in changes.items():
                setattr(part, name, value)
        return Interview(self.model, self.task, equipment, self.material)

    def encoded(self, question: Any) -> dict[str, Any]:
        """The inputs that one question becomes."""
        if self.task.material == "text":
            return dict(self.equipment["tokenizer"](question, return_tensors="pt"))
        part = self._part
        if self.task.material == "image":
            return dict(part(images=[question.convert("RGB")], return_tensors="pt"))
        return dict(part(question, sampling_rate=part.sampling_rate, return_tensors="pt"))

    @property
    def _part(self) -> Any:
        """The processor of images or sounds."""
        return next(part for name, part in self.equipment.items() if name != "tokenizer")

    def _possible(self) -> list[Any]:
        if self.task.material != "text":
            return list(self.material)
        tokenizer = self.equipment["tokenizer"]
        mask = f" {tokenizer.mask_token}" if "mask_token" in self.task.needs else ""
        texts = [f"{text}{mask}" for text in TEXTS]
        weight = embeddings(self.model, "input")
        rows = math.inf if weight is None else len(weight)
        return [text for text in texts if max(tokenizer(text)["input_ids"], default=rows) < rows]

    def _answered(self, question: Any) -> Answer:
        inputs = Inputs(kwargs=self.encoded(question))
        result = self._subject(inputs).result()
        answer = self.task.direct(self.model, result)
        if self.task.writes:
            return Answer(text=self.equipment["tokenizer"].decode(list(answer.tokens or ())))
        if "mask_token" in self.task.needs and answer.values is not None:
            tokens = inputs.kwargs["input_ids"][0].tolist()
            return Answer(answer.values[tokens.index(self.equipment["tokenizer"].mask_token_id)])
        return answer

    def _subject(self, inputs: Inputs) -> Subject:
        run = self._generating if self.task.generates else forwarded
        return Subject("ported", self.model, inputs, run, lambda given: given.attended())

    def _generating(self, model: Any, inputs: Inputs) -> Any:
        length = inputs.kwargs["input_ids"].shape[1]
        how = {"do_sample": False, "num_beams": 1, "max_new_tokens": NEW_TOKENS}
        with own_config(model), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return until_end(model, model.generate(**placed(inputs, model).kwargs, **how)[0, length:])

    def _piped(self, questions: Sequence[Any], batch: int) -> list[Answer]:
        from transformers import pipeline

        asked = [self._asked(question) for question in questions]
        before = max(self.encoded(each)["input_ids"].shape[1] for each in questions) if self.task.generates else 0
        with preserved(self.model), own_config(self.model), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seed_everything(0)
            try:
                equipment = {name: copy.deepcopy(part) for name, part in self.equipment.items()}
                made = pipeline(self.task.name, model=self.model, device=self.model.device, **equipment)
                given = made(asked if batch > 1 else asked[0], batch_size=batch, num_workers=0, **self._options)
                given = given if batch > 1 else [given]
                return [self.task.read(self.model, each, before) for each in given]
            except Exception as error:
                raise PipelineFailedError(
                    f"pipeline({self.task.name!r}) raised {type(error).__name__}: {show(error, 300)}"
                ) from error

    @property
    def _options(self) -> Mapping[str, Any]:
        return self.task.options(self.model)

    def _asked(self, question: Any) -> Any:
        if self.task.material != "audio":
            return question
        return {"raw": np.array(question), "sampling_rate": self._part.sampling_rate}

    def _judged(self, answers: Sequence[Answer]) -> list[Disagreement]:
        allowed = self._allowed
        found = []
        for number, (direct, answer) in enumerate(zip(self.direct, answers, strict=True)):
            gap = direct.difference(direct.within(answer))
            if gap > allowed and not self._low_margin(number, direct, answer):
                found.append(Disagreement(number, gap, allowed))
        return found

    @cached_property
    def _allowed(self) -> float:
        """How far an answer may move by rounding: that of the model's output for the longest question."""
        longest = max(self.questions, key=lambda each: np.size(each) if not isinstance(each, str) else len(each))
        subject = Subject("ported", self.model, Inputs(kwargs=self.encoded(longest)), forwarded, everything)
        name, tensor = next(iter(subject.given.items()))
        return max(LEAST, subject.allowance(name, tensor).atol)

    def _low_margin(self, number: int, direct: Answer, answer: Answer) -> bool:
        """Whether two tokens were about equally likely where the answers part, so that rounding decides."""
        if self.task.writes:
            given = Inputs(kwargs=self.encoded(self.questions[number]))
            logits = Subject("ported", self.model, given, forwarded, everything).given["logits"]
            best = logits[0].topk(2, -1).values
            return float((best[:, 0] - best[:, 1]).min()) <= 2 * self._allowed
        place = direct.parting(answer)
        if place is None or direct.tokens is None:
            return False
        inputs = self.encoded(self.questions[number])
        more = torch.tensor([direct.tokens[:place]], dtype=torch.long)
        ids = torch.cat([inputs["input_ids"], more], 1)
        given = Inputs(kwargs={"input_ids": ids, "attention_mask": torch.ones_like(ids)})
        logits = Subject("ported", self.model, given, forwarded, everything).given["logits"]
        best = logits[0, -1].topk(2).values
        return float(best[0] - best[1]) <= 2 * self._allowed
