"""Ports behind `transformers.pipeline`: right ones answer as they do by themselves, seeded bugs are found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MethodType
from typing import Any

import pytest
import torch
from chatting import byte_tokenizer
from checked import result_of
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    GPT2Config,
    GPT2Model,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    MambaConfig,
    MambaModel,
    PreTrainedModel,
    ViTConfig,
    ViTForImageClassification,
    ViTModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2ForSequenceClassification,
)
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from porting.checks import CheckContext, CheckResult
from porting.pipelines import tasks_of
from porting.portfile import Portfile

CHECKS = ("check_pipeline_equals_direct_call", "check_pipeline_batches_equal")
SPECIAL = ("<s>", "</s>", "<pad>", "<mask>")


def tokenizer(**settings: Any) -> Any:
    made = byte_tokenizer(None, "<s>", "</s>", SPECIAL)
    made.add_special_tokens({"pad_token": "<pad>", "mask_token": "<mask>"})
    for name, value in settings.items():
        setattr(made, name, value)
    return made


ROWS = 260


def bert(kind: Callable[..., Any], **settings: Any) -> Any:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=ROWS, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=96, pad_token_id=tokenizer().pad_token_id, num_labels=3, **settings,
    )  # fmt: skip
    return lively(kind(config))


def llama(kind: Callable[..., Any], **settings: Any) -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=ROWS, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=48, max_position_embeddings=128, bos_token_id=tokenizer().bos_token_id,
        eos_token_id=tokenizer().eos_token_id, num_labels=3, **{"pad_token_id": tokenizer().pad_token_id, **settings},
    )  # fmt: skip
    return lively(kind(config))


def vit(kind: Callable[..., Any]) -> Any:
    torch.manual_seed(0)
    config = ViTConfig(image_size=30, patch_size=10, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                       intermediate_size=48, num_labels=3)  # fmt: skip
    return lively(kind(config))


class Codec(PreTrainedModel):  # type: ignore[misc]
    config_class = ViTConfig

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        self.linear = torch.nn.Linear(2, 2)


def wav2vec2(kind: Callable[..., Any]) -> Any:
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, conv_dim=(16, 16),
        conv_kernel=(10, 3), conv_stride=(5, 2), num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
        num_labels=3, vocab_size=ROWS,
    )  # fmt: skip
    return lively(kind(config))


def lively(model: Any) -> Any:
    """Larger weights, so that answers differ by more than rounding."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    return model.eval()


def images() -> Any:
    return ViTImageProcessorPil(size={"height": 30, "width": 30})


def context_for(model: Any, folder: Path, **functions: Any) -> CheckContext:
    made: dict[str, Callable[..., Any]] = {"ported": lambda: model, **functions}
    return CheckContext(Portfile(folder / "portfile.py", made, {}))


def with_text(model: Any, folder: Path, **settings: Any) -> CheckContext:
    ids = torch.arange(4, 24).reshape(2, 10)
    mask = torch.ones_like(ids)
    return context_for(
        model,
        folder,
        original=lambda: model,
        inputs=lambda: {"input_ids": ids, "attention_mask": mask},
        ported_tokenizer=lambda: tokenizer(**settings),
    )


def results(context: CheckContext) -> list[CheckResult]:
    return [result_of(name, context) for name in CHECKS]


RIGHT: dict[str, tuple[Callable[[], Any], str]] = {
    "text-classification": (lambda: bert(BertForSequenceClassification), "text"),
    "token-classification": (lambda: bert(BertForTokenClassification), "text"),
    "fill-mask": (lambda: bert(BertForMaskedLM), "text"),
    "feature-extraction": (lambda: bert(BertModel), "text"),
    "text-generation": (lambda: llama(LlamaForCausalLM), "text"),
    "image-classification": (lambda: vit(ViTForImageClassification), "image"),
    "image-feature-extraction": (lambda: vit(ViTModel), "image"),
    "audio-classification": (lambda: wav2vec2(Wav2Vec2ForSequenceClassification), "audio"),
    "automatic-speech-recognition": (lambda: wav2vec2(Wav2Vec2ForCTC), "audio"),
}


@pytest.mark.parametrize("task", RIGHT)
def test_a_right_port_answers_as_by_itself(task: str, tmp_path: Path) -> None:
    make, material = RIGHT[task]
    model = make()
    if material == "text":
        context = with_text(model, tmp_path)
    else:
        processor = images() if material == "image" else Wav2Vec2FeatureExtractor()
        context = context_for(model, tmp_path, ported_processor=lambda: processor, ported_tokenizer=tokenizer)
    config, state = model.config.to_dict(), {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = results(context)
    assert [result.status for result in found] == ["passed", "passed"], [each.failure_message() for each in found]
    assert all(task in str(result.figures["tasks"]) for result in found)
    assert all(int(result.figures["questions"]) >= 3 for result in found)  # type: ignore[arg-type]
    assert model.config.to_dict() == config
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


def test_a_class_of_a_new_model_is_known_by_its_ending() -> None:
    class BrandNewForSequenceClassification:
        pass

    class BrandNew:
        pass

    assert next(tasks_of(BrandNewForSequenceClassification())).name == "text-classification"
    assert list(tasks_of(BrandNew())) == []


def test_an_encoder_that_ignores_the_mask_is_found(tmp_path: Path) -> None:
    model = bert(BertForSequenceClassification)
    right = bert(BertForSequenceClassification)
    forward = model.bert.forward

    def unmasked(input_ids: Any, attention_mask: Any = None, **more: Any) -> Any:
        return forward(input_ids, attention_mask=torch.ones_like(input_ids), **more)

    model.bert.forward = unmasked
    context = with_text(model, tmp_path)
    context = context_for(model, tmp_path, **{**context.portfile.functions, "original": lambda: right})
    direct, batched = results(context)
    assert direct.status == "passed"
    assert batched.status == "failed"
    assert "in a batch" in batched.message


def test_what_the_original_does_likewise_is_not_held_against_the_port(tmp_path: Path) -> None:
    model = bert(BertModel)
    forward = model.encoder.forward

    def mixing(hidden: Any, *args: Any, **kwargs: Any) -> Any:
        return forward(hidden + hidden.mean(1, keepdim=True), *args, **kwargs)

    model.encoder.forward = mixing
    batched = results(with_text(model, tmp_path))[1]
    assert batched.status == "skipped"
    assert "the original" in batched.message


def test_a_model_that_takes_no_batch_is_found(tmp_path: Path) -> None:
    model = bert(BertModel)
    forward = model.encoder.forward

    def single(hidden: Any, *args: Any, **kwargs: Any) -> Any:
        return forward(hidden.reshape(1, -1, 32)[:, : hidden.shape[1]], *args, **kwargs)

    model.encoder.forward = single
    direct, batched = results(with_text(model, tmp_path))
    assert direct.status == "passed"
    assert batched.status == "failed"


def test_sounds_that_mix_in_a_batch_are_found(tmp_path: Path) -> None:
    model = wav2vec2(Wav2Vec2ForCTC)
    head = model.lm_head.forward
    model.lm_head.forward = lambda hidden: head(hidden + 3 * hidden.mean(0, keepdim=True))
    context = context_for(model, tmp_path, ported_processor=Wav2Vec2FeatureExtractor, ported_tokenizer=tokenizer)
    direct, batched = results(context)
    assert direct.status == "passed"
    assert batched.status == "failed"
    assert "text for sound" in batched.message


def test_what_only_the_pipeline_cannot_take_apart_is_no_failure(tmp_path: Path) -> None:
    config = MambaConfig(hidden_size=32, num_hidden_layers=2, vocab_size=ROWS, state_size=8)
    torch.manual_seed(0)
    direct, batched = results(with_text(lively(MambaModel(config)), tmp_path))
    assert direct.status == "passed"
    assert batched.status == "skipped"
    assert "the model itself takes the batch" in batched.message


def test_padding_on_the_wrong_side_is_found(tmp_path: Path) -> None:
    batched = results(with_text(bert(BertModel), tmp_path, padding_side="left"))[1]
    assert batched.status == "failed"
    assert "padded on the right it is the same" in batched.message


def test_a_padding_token_that_the_config_does_not_share_is_found(tmp_path: Path) -> None:
    model = llama(LlamaForSequenceClassification, pad_token_id=7)
    batched = results(with_text(model, tmp_path))[1]
    assert batched.status == "failed"
    assert "set config.pad_token_id" in batched.hint


def test_a_class_that_does_not_tell_its_embeddings_is_asked_all_the_same(tmp_path: Path) -> None:
    class Silent(BertForSequenceClassification):  # type: ignore[misc]
        def get_input_embeddings(self) -> Any:
            raise NotImplementedError

    found = results(with_text(bert(Silent), tmp_path))
    assert [result.status for result in found] == ["passed", "passed"], [result.message for result in found]


def test_without_a_padding_token_the_batch_is_skipped_with_the_reason(tmp_path: Path) -> None:
    direct, batched = results(with_text(llama(LlamaForCausalLM), tmp_path, pad_token=None))
    assert direct.status == "passed"
    assert batched.status == "skipped"
    assert "no pad_token" in batched.message


def test_a_forward_that_returns_a_tuple_is_found(tmp_path: Path) -> None:
    model = bert(BertForSequenceClassification)
    forward = type(model).forward
    model.forward = MethodType(lambda self, *args, **kwargs: forward(self, *args, **kwargs).to_tuple(), model)
    direct = results(with_text(model, tmp_path))[0]
    assert direct.status == "failed"
    assert "pipeline('text-classification') raised" in direct.message


def test_a_decoder_whose_tokenizer_pads_for_generation_is_not_held_against_it(tmp_path: Path) -> None:
    config = GPT2Config(vocab_size=ROWS, n_embd=32, n_layer=2, n_head=4, n_positions=96)
    torch.manual_seed(0)
    context = with_text(lively(GPT2Model(config)), tmp_path, padding_side="left")
    direct, batched = results(context)
    assert direct.status == "passed"
    assert batched.status == "skipped"
    assert "as for generation" in batched.message


def test_generation_that_ignores_the_mask_is_found(tmp_path: Path) -> None:
    model = llama(LlamaForCausalLM)
    forward = model.model.forward

    def unmasked(*args: Any, attention_mask: Any = None, **kwargs: Any) -> Any:
        return forward(*args, attention_mask=None, **kwargs)

    model.model.forward = unmasked
    right = llama(LlamaForCausalLM)
    context = with_text(model, tmp_path)
    context = context_for(model, tmp_path, **{**context.portfile.functions, "original": lambda: right})
    direct, batched = results(context)
    assert direct.status == "passed"
    assert batched.status == "failed"
    assert "tokens for text" in batched.message


def test_without_tokenizer_task_or_model_the_reason_is_said(tmp_path: Path) -> None:
    assert "neither ported_tokenizer()" in results(context_for(bert(BertModel), tmp_path))[0].message
    context = context_for(torch.nn.Linear(2, 2), tmp_path, ported_tokenizer=tokenizer)
    assert "no PreTrainedModel" in results(context)[0].message
    codec = results(context_for(Codec(ViTConfig()), tmp_path))[0]
    assert codec.message == "no pipeline of Transformers takes Codec"
    assert not codec.lacking
    context = context_for(vit(ViTModel), tmp_path, ported_tokenizer=tokenizer)
    assert "image-feature-extraction needs" in results(context)[0].message
