"""Decoders of text."""

from architectures.family import GPT, GROUPED, MOE, SMALL, Family, ids

DECODERS = (
    Family("GPT-2", "GPT2LMHeadModel", GPT),
    Family(
        "GPT-Neo",
        "GPTNeoForCausalLM",
        {
            "vocab_size": 128,
            "hidden_size": 32,
            "num_layers": 2,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1]],
            "window_size": 8,
        },
    ),
    Family("GPT-NeoX", "GPTNeoXForCausalLM", SMALL),
    Family("GPT-J", "GPTJForCausalLM", GPT | {"rotary_dim": 4}),
    Family("OPT", "OPTForCausalLM", SMALL | {"ffn_dim": 64, "word_embed_proj_dim": 32}),
    Family(
        "BLOOM",
        "BloomForCausalLM",
        {"vocab_size": 128, "hidden_size": 32, "n_layer": 2, "n_head": 4},
    ),
    Family("Llama", "LlamaForCausalLM", GROUPED),
    Family("Mistral", "MistralForCausalLM", GROUPED | {"sliding_window": 8}),
    Family("Mixtral", "MixtralForCausalLM", GROUPED | {"num_local_experts": 4}),
    Family("Qwen2", "Qwen2ForCausalLM", GROUPED),
    Family("Qwen3", "Qwen3ForCausalLM", GROUPED | {"head_dim": 8}),
    Family("Qwen2-MoE", "Qwen2MoeForCausalLM", MOE | {"shared_expert_intermediate_size": 32}),
    Family("Qwen3-MoE", "Qwen3MoeForCausalLM", MOE),
    Family("Gemma", "GemmaForCausalLM", GROUPED | {"head_dim": 8}),
    Family("Gemma 2", "Gemma2ForCausalLM", GROUPED | {"head_dim": 8, "sliding_window": 8}),
    Family("Gemma 3", "Gemma3ForCausalLM", GROUPED | {"head_dim": 8, "sliding_window": 8}),
    Family("Phi", "PhiForCausalLM", SMALL),
    Family("Phi-3", "Phi3ForCausalLM", GROUPED | {"pad_token_id": 0}),
    Family("Falcon", "FalconForCausalLM", SMALL),
    Family("StableLM", "StableLmForCausalLM", GROUPED),
    Family("OLMo 2", "Olmo2ForCausalLM", GROUPED),
    Family(
        "DeepSeek-V3",
        "DeepseekV3ForCausalLM",
        SMALL
        | {
            "n_routed_experts": 4,
            "n_group": 2,
            "topk_group": 1,
            "num_experts_per_tok": 2,
            "first_k_dense_replace": 1,
            "kv_lora_rank": 8,
            "q_lora_rank": 8,
            "qk_rope_head_dim": 4,
            "qk_nope_head_dim": 8,
            "v_head_dim": 8,
            "moe_intermediate_size": 16,
        },
    ),
    Family(
        "GPT-OSS",
        "GptOssForCausalLM",
        GROUPED
        | {
            "head_dim": 8,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "layer_types": ["sliding_attention", "full_attention"],
            "sliding_window": 8,
        },
    ),
    Family(
        "Mamba",
        "MambaForCausalLM",
        {"vocab_size": 128, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},
        ids,
    ),
    Family(
        "Mamba-2",
        "Mamba2ForCausalLM",
        {
            "vocab_size": 128,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "state_size": 4,
            "num_heads": 8,
            "head_dim": 8,
            "n_groups": 2,
            "chunk_size": 8,
        },
        ids,
    ),
    Family(
        "RWKV",
        "RwkvForCausalLM",
        {"vocab_size": 128, "hidden_size": 32, "num_hidden_layers": 2},
        ids,
    ),
    Family("RecurrentGemma", "RecurrentGemmaForCausalLM", GROUPED | {"num_hidden_layers": 3}, ids),
    Family(
        "Jamba",
        "JambaForCausalLM",
        GROUPED
        | {
            "num_hidden_layers": 4,
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "expert_layer_period": 2,
            "expert_layer_offset": 1,
            "num_experts": 4,
            "use_mamba_kernels": False,
        },
    ),
)
