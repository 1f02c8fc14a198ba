"""Several kinds of input, or unusual ones."""

import torch

from architectures.family import GROUPED, HUB, SMALL, VISION, Family, ids, masked_ids, with_image

MULTIMODAL = (
    Family("CLIP", "CLIPModel", HUB, lambda: with_image(masked_ids())),
    Family("SigLIP", "SiglipModel", HUB, lambda: with_image(masked_ids())),
    Family("BLIP", "BlipModel", HUB, lambda: with_image(masked_ids())),
    Family(
        "BLIP-2",
        "Blip2ForConditionalGeneration",
        {
            "vision_config": VISION,
            "qformer_config": SMALL | {"encoder_hidden_size": 32},
            "text_config": {"model_type": "opt"}
            | SMALL
            | {"ffn_dim": 64, "word_embed_proj_dim": 32},
            "num_query_tokens": 4,
            "image_token_index": 127,
        },
        lambda: with_image(
            {"input_ids": torch.cat([torch.full((2, 4), 127), ids(8)["input_ids"]], 1)}
        ),
    ),
    Family("ViLT", "ViltModel", VISION | {"vocab_size": 128}, lambda: with_image(masked_ids())),
    Family(
        "LLaVA",
        "LlavaForConditionalGeneration",
        {
            "vision_config": {"model_type": "clip_vision_model"} | VISION,
            "text_config": {"model_type": "llama"} | GROUPED,
            "image_token_index": 127,
        },
        lambda: with_image(
            {"input_ids": torch.cat([torch.full((2, 16), 127), ids(8)["input_ids"]], 1)}
        ),
    ),
    Family(
        "LayoutLM",
        "LayoutLMModel",
        SMALL,
        lambda: masked_ids() | {"bbox": torch.zeros(2, 16, 4, dtype=torch.int64)},
    ),
    Family("OWL-ViT", "OwlViTModel", HUB, lambda: with_image(masked_ids())),
    Family(
        "TrOCR",
        "TrOCRForCausalLM",
        {
            "vocab_size": 128,
            "d_model": 32,
            "decoder_layers": 2,
            "decoder_attention_heads": 4,
            "decoder_ffn_dim": 64,
        },
    ),
    Family(
        "PatchTST",
        "PatchTSTModel",
        {
            "d_model": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "ffn_dim": 64,
            "context_length": 32,
            "num_input_channels": 2,
        },
        lambda: {"past_values": torch.zeros(2, 32, 2)},
    ),
    Family(
        "Decision transformer",
        "DecisionTransformerModel",
        {
            "state_dim": 4,
            "act_dim": 2,
            "hidden_size": 32,
            "n_layer": 2,
            "n_head": 4,
            "max_ep_len": 16,
        },
        lambda: {
            "states": torch.zeros(2, 5, 4),
            "actions": torch.zeros(2, 5, 2),
            "rewards": torch.zeros(2, 5, 1),
            "returns_to_go": torch.zeros(2, 5, 1),
            "timesteps": torch.zeros(2, 5, dtype=torch.int64),
            "attention_mask": torch.ones(2, 5),
        },
    ),
)
