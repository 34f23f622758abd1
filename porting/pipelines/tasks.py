"""The tasks of ``transformers.pipeline`` that fit a model, by Transformers' own mappings of classes to tasks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from porting.pipelines.answers import Answer

Material = Literal["text", "image", "audio"]
NEW_TOKENS = 6
"""Tokens that are generated."""

Read = Callable[[Any, Any, int], Answer]
"""Model, what the pipeline returned for one question, and how many tokens its batch had before the new ones."""
Direct = Callable[[Any, Any], Answer]
"""Model, and what it returned, to an answer."""


@dataclass(frozen=True, slots=True)
class Task:
    """How one task is asked.

    Attributes:
        name: as ``transformers.pipeline`` knows it.
        material: of questions.
        options: of the pipeline's call, by the model.
        read: the pipeline's answer.
        direct: the answer that follows from what the model returned.
        generates: whether the model generates in place of one forward.
        needs: attributes of the tokenizer that a question is made with.
        writes: whether the tokenizer writes the answer.
    """

    name: str
    material: Material
    options: Callable[[Any], Mapping[str, Any]]
    read: Read
    direct: Direct
    generates: bool = False
    needs: tuple[str, ...] = ()
    writes: bool = False


def tasks_of(model: Any) -> Iterator[Task]:
    """Yield the tasks whose pipelines take a class, those of its head first.

    A class of Transformers, or derived from one, is in a mapping by its name. A class of a new model is not, and is
    taken for what the mappings hold under the same ending, such as ``ForSequenceClassification``.
    """
    from transformers.pipelines import SUPPORTED_TASKS

    known = {name: _names(spec["pt"]) for name, spec in SUPPORTED_TASKS.items()}
    names = [each.__name__ for each in type(model).__mro__]
    fitting = [task for task in TASKS if known.get(task.name, set()) & set(names)]
    head = re.search(r"(For[A-Z]\w*|Model)$", names[0])
    if not fitting and head:
        ending = head[0]
        fitting = [task for task in TASKS if any(name.endswith(ending) for name in known.get(task.name, ()))]
    yield from fitting


def _names(classes: tuple[Any, ...]) -> set[str]:
    """The names of the models in the mappings of some Auto classes, without importing the models."""
    found: set[str] = set()
    for each in classes:
        for value in each._model_mapping._model_mapping.values():
            found.update(value if isinstance(value, (tuple, list)) else [value])
    return found


def _first(result: Any) -> torch.Tensor:
    tensor: torch.Tensor = result[0]
    return tensor.detach().cpu()


def _scores(_: Any, result: Any) -> Answer:
    return Answer(_first(result).float()[0].softmax(-1).numpy())


def _by_label(model: Any, given: Any, _before: int) -> Answer:
    labels = model.config.id2label
    scores = {each["label"]: each["score"] for each in given}
    known = [number for number in sorted(labels) if labels[number] in scores]
    if len(scores) != len(labels) or len(known) != len(labels):
        return Answer(np.sort([each["score"] for each in given]))
    return Answer(np.array([scores[labels[number]] for number in known]), np.array(known))


def _features(_: Any, result: Any) -> Answer:
    return Answer(_first(result).float()[0].numpy())


def _nested(_: Any, given: Any, _before: int) -> Answer:
    return Answer(np.asarray(given, dtype=np.float64)[0])


def _filled(_: Any, given: Any, _before: int) -> Answer:
    scores, tokens = ([each[name] for each in given] for name in ("score", "token"))
    return Answer(np.array(scores), np.array(tokens))


def _token_scores(_: Any, result: Any) -> Answer:
    return Answer(_first(result).float()[0].softmax(-1).amax(-1).numpy())


def _by_token(_: Any, given: Any, _before: int) -> Answer:
    return Answer(np.array([each["score"] for each in given]), np.array([each["index"] for each in given], dtype=int))


def _generated(model: Any, given: Any, before: int) -> Answer:
    tokens = given[0]["generated_token_ids"]
    return Answer(tokens=until_end(model, tokens[before:]))


def until_end(model: Any, tokens: Any) -> tuple[int, ...]:
    """New tokens up to the first that ends a sequence."""
    ends = getattr(model.generation_config, "eos_token_id", None)
    stops = set(ends if isinstance(ends, list) else [ends])
    kept: list[int] = []
    for token in map(int, tokens):
        if token in stops:
            break
        kept.append(token)
    return tuple(kept)


def _nothing(_: Any) -> Mapping[str, Any]:
    return {}


def _labels(model: Any) -> Mapping[str, Any]:
    return {"top_k": len(model.config.id2label), "function_to_apply": "softmax"}


def _all_tokens(_: Any) -> Mapping[str, Any]:
    return {"ignore_labels": []}


def _greedy(_: Any) -> Mapping[str, Any]:
    return {"do_sample": False, "num_beams": 1, "max_new_tokens": NEW_TOKENS, "return_tensors": True, "prefix": ""}


def _unread(_: Any, result: Any) -> Answer:
    return Answer(tokens=tuple(int(token) for token in result))


def _likeliest(_: Any, result: Any) -> Answer:
    return Answer(tokens=tuple(_first(result)[0].argmax(-1).tolist()))


def _text(_: Any, given: Any, _before: int) -> Answer:
    return Answer(text=given["text"])


TASKS = (
    Task("text-classification", "text", _labels, _by_label, _scores),
    Task("token-classification", "text", _all_tokens, _by_token, _token_scores),
    Task("fill-mask", "text", _nothing, _filled, _scores, needs=("mask_token",)),
    Task("text-generation", "text", _greedy, _generated, _unread, generates=True),
    Task("image-classification", "image", _labels, _by_label, _scores),
    Task("audio-classification", "audio", _labels, _by_label, _scores),
    Task("automatic-speech-recognition", "audio", _nothing, _text, _likeliest, writes=True),
    Task("feature-extraction", "text", _nothing, _nested, _features),
    Task("image-feature-extraction", "image", _nothing, _nested, _features),
)
"""The tasks that are asked, those of a head before those of a bare model."""
