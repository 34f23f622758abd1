"""The model card: the page that a model has on the Hub, ``README.md`` in its folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from porting.documents.examples import Example
from porting.documents.markdown import Harmless, render
from porting.documents.port import Port
from porting.documents.proofs import proofs_of
from porting.portfile import command_line
from porting.text import size_words

TEMPLATE = "model_card.md.jinja"
NAME = "README.md"
SETTINGS = ("num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size", "max_position_embeddings")
"""Of a config, what a reader wants to know of a model's size."""
PACKAGES = ("porting", "torch", "transformers")


def card_text(port: Port, example: Example) -> str:
    """The card, metadata first.

    Raises:
        GenerationError: a name cannot be written down.
        EvidenceError: the evidence file is damaged.
        CheckpointError: the converted weights cannot be read.
    """
    from huggingface_hub import ModelCard

    proofs, tolerance = proofs_of(port.portfile), port.portfile.tolerance()
    versions = proofs[0].record.versions if proofs else {}
    body = render(
        TEMPLATE,
        title=port.title,
        facts=list(_facts(port)),
        example=Harmless(example.code),
        lacking=example.fault,
        proofs=proofs,
        atol=tolerance.atol,
        rtol=tolerance.rtol,
        versions=[(name, versions[name]) for name in PACKAGES if name in versions],
        commands=[command_line(port.portfile.path.name, each) for each in ("verify", "check")],
    )
    return str(ModelCard(f"---\n{_metadata(port)}\n---\n\n{body}"))


def _metadata(port: Port) -> str:
    """The card's metadata as YAML; what only a person knows is marked."""
    from huggingface_hub import ModelCardData

    known: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": port.task,
        "tags": [model_type] if (model_type := getattr(port.config, "model_type", "")) else None,
        "license": "[[you: the licence, as apache-2.0]]",
        "base_model": "[[you: the original on the Hub, or delete this]]",
    }
    if {"text", "audio"} & set(port.materials):
        known["language"] = ["[[you: language codes, as en]]"]
    return ModelCardData(**{key: value for key, value in known.items() if value is not None}).to_yaml()


def _facts(port: Port) -> Iterator[tuple[str, str]]:
    """What the model is, counted on its class and on the files of its folder."""
    from porting.weights.conversion.beside import main_dtype
    from porting.weights.source import source_of

    yield "Architecture", port.kind.__name__
    for name in SETTINGS:
        if isinstance(value := getattr(port.config, name, None), int):
            yield name.replace("_", " "), f"{value:,}"
    yield "Parameters", f"{sum(parameter.numel() for parameter in port.model.parameters()):,}"
    if port.folder is not None:
        specs = source_of(port.folder).specs
        yield "Tensors in the files", f"{len(specs):,}"
        if (dtype := main_dtype(specs)) is not None:
            yield "Dtype", str(dtype).removeprefix("torch.")
        sizes = [path.stat().st_size for path in port.folder.glob("*.safetensors")]
        yield "Size of the files", size_words(sum(sizes))
