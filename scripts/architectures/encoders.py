"""Encoders of text."""

import torch

from architectures.family import SMALL, Family, ids, masked_ids

TEXT_ENCODERS = (
    Family("BERT", "BertModel", SMALL),
    Family("RoBERTa", "RobertaModel", SMALL),
    Family("XLM-RoBERTa", "XLMRobertaModel", SMALL),
    Family("ALBERT", "AlbertModel", SMALL | {"embedding_size": 16}),
    Family("ELECTRA", "ElectraModel", SMALL | {"embedding_size": 16}),
    Family(
        "DistilBERT",
        "DistilBertModel",
        {"vocab_size": 128, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64},
    ),
    Family(
        "DeBERTa-v2",
        "DebertaV2Model",
        SMALL | {"relative_attention": True, "position_buckets": 8, "pos_att_type": ["p2c", "c2p"]},
    ),
    Family("MPNet", "MPNetModel", SMALL),
    Family("ModernBERT", "ModernBertModel", SMALL | {"pad_token_id": 0}),
    Family("Longformer", "LongformerModel", SMALL | {"attention_window": 8, "pad_token_id": 0}),
    Family(
        "BigBird",
        "BigBirdModel",
        SMALL | {"block_size": 4, "num_random_blocks": 1},
        lambda: masked_ids(64),
    ),
    Family(
        "XLNet",
        "XLNetModel",
        {"vocab_size": 128, "d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64},
    ),
    Family("FNet", "FNetModel", SMALL, ids),
    Family(
        "Funnel",
        "FunnelModel",
        {
            "vocab_size": 128,
            "d_model": 32,
            "n_head": 4,
            "d_head": 8,
            "d_inner": 64,
            "block_sizes": [1, 1],
            "num_decoder_layers": 1,
        },
    ),
    Family(
        "Reformer",
        "ReformerModel",
        {
            "vocab_size": 128,
            "hidden_size": 32,
            "attention_head_size": 8,
            "num_attention_heads": 4,
            "feed_forward_size": 64,
            "attn_layers": ["local", "lsh"],
            "axial_pos_shape": [4, 4],
            "axial_pos_embds_dim": [16, 16],
            "num_buckets": 4,
            "num_hashes": 1,
            "lsh_attn_chunk_length": 4,
            "local_attn_chunk_length": 4,
            "is_decoder": False,
        },
    ),
    Family(
        "Perceiver",
        "PerceiverModel",
        {
            "d_model": 32,
            "d_latents": 32,
            "num_latents": 8,
            "num_blocks": 1,
            "num_self_attends_per_block": 2,
            "num_self_attention_heads": 4,
            "num_cross_attention_heads": 4,
        },
        lambda: {"inputs": torch.zeros(2, 16, 32)},
    ),
)
