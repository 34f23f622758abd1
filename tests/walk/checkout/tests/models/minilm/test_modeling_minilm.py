# Copyright 2026 The HuggingFace Inc. team. All rights reserved.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Testing suite for the PyTorch MiniLM model."""

import unittest

from transformers import MiniLMConfig, MiniLMModel, is_torch_available
from transformers.testing_utils import require_torch, slow


if is_torch_available():
    import torch


@require_torch
class MiniLMModelTest(unittest.TestCase):
    def test_model(self):
        config = MiniLMConfig(
            vocab_size=99, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37
        )
        model = MiniLMModel(config).eval()
        result = model(torch.randint(1, 99, (13, 7)))
        self.assertEqual(result.last_hidden_state.shape, (13, 7, 32))
        self.assertEqual(result.pooler_output.shape, (13, 32))


@require_torch
class MiniLMModelIntegrationTest(unittest.TestCase):
    @slow
    def test_inference_no_head_absolute_embedding(self):
        model = MiniLMModel.from_pretrained("google-bert/bert-base-uncased", attn_implementation="eager")
        with torch.no_grad():
            output = model(torch.tensor([[0, 345, 232, 328, 740, 140, 1695, 69, 6078, 1588, 2]]))[0]
        expected_slice = torch.tensor([[[0.4249, 0.1008, 0.7531], [0.3771, 0.1188, 0.7467], [0.4152, 0.1098, 0.7108]]])
        torch.testing.assert_close(output[:, 1:4, 1:4], expected_slice, rtol=1e-4, atol=1e-4)
