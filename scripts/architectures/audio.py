"""Speech, music and sound."""

import torch

from architectures.family import (
    SEQ2SEQ,
    SMALL,
    SPEECH,
    T5,
    VISION,
    Family,
    ids,
    masked_ids,
    mel,
    waveform,
)

AUDIO = (
    Family(
        "Whisper",
        "WhisperForConditionalGeneration",
        SEQ2SEQ
        | {
            "num_mel_bins": 16,
            "max_source_positions": 32,
            "pad_token_id": 0,
            "decoder_start_token_id": 1,
        },
        lambda: mel(16, 64) | ids(8, "decoder_input_ids"),
    ),
    Family("Wav2Vec2", "Wav2Vec2ForCTC", SPEECH, waveform),
    Family("Wav2Vec2-Conformer", "Wav2Vec2ConformerModel", SPEECH, waveform),
    Family("HuBERT", "HubertModel", SPEECH, waveform),
    Family("WavLM", "WavLMModel", SPEECH, waveform),
    Family("UniSpeech", "UniSpeechModel", SPEECH, waveform),
    Family("Data2Vec audio", "Data2VecAudioModel", SPEECH | {"conv_pos_kernel_size": 3}, waveform),
    Family(
        "AST",
        "ASTModel",
        VISION | {"max_length": 64, "num_mel_bins": 32},
        lambda: {"input_values": torch.zeros(2, 64, 32)},
    ),
    Family(
        "Speech2Text",
        "Speech2TextForConditionalGeneration",
        SEQ2SEQ | {"input_feat_per_channel": 16, "conv_channels": 32},
        lambda: {"input_features": torch.zeros(2, 64, 16)} | ids(8, "decoder_input_ids"),
    ),
    Family(
        "SpeechT5",
        "SpeechT5ForTextToSpeech",
        {
            "vocab_size": 128,
            "hidden_size": 32,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64,
            "speech_decoder_prenet_units": 32,
            "speech_decoder_postnet_units": 32,
            "speaker_embedding_dim": 16,
        },
        lambda: (
            masked_ids()
            | {
                "decoder_input_values": torch.zeros(2, 8, 80),
                "speaker_embeddings": torch.zeros(2, 16),
            }
        ),
    ),
    Family(
        "EnCodec",
        "EncodecModel",
        {"hidden_size": 16, "num_filters": 4, "codebook_size": 64, "codebook_dim": 16},
        lambda: {"input_values": torch.zeros(2, 1, 3200)},
    ),
    Family(
        "DAC",
        "DacModel",
        {
            "encoder_hidden_size": 8,
            "decoder_hidden_size": 64,
            "n_codebooks": 2,
            "codebook_size": 64,
        },
        lambda: {"input_values": torch.zeros(2, 1, 2048)},
    ),
    Family(
        "Mimi",
        "MimiModel",
        SMALL
        | {
            "num_filters": 2,
            "codebook_size": 64,
            "codebook_dim": 16,
            "vector_quantization_hidden_dimension": 16,
            "num_quantizers": 4,
            "upsample_groups": 16,
            "head_dim": 8,
            "num_key_value_heads": 4,
        },
        lambda: {"input_values": torch.zeros(2, 1, 3840)},
    ),
    Family(
        "VITS",
        "VitsModel",
        {
            "vocab_size": 128,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "ffn_dim": 64,
            "flow_size": 32,
            "upsample_initial_channel": 64,
            "wavenet_dilation_rate": 1,
        },
        weights="the lengths of the phonemes are predicted",
    ),
    Family(
        "FastSpeech2-Conformer",
        "FastSpeech2ConformerModel",
        {"hidden_size": 32, "vocab_size": 128, "encoder_layers": 1, "decoder_layers": 1},
        ids,
        weights="the lengths of the phonemes are predicted",
    ),
    Family(
        "CLAP",
        "ClapModel",
        {
            "text_config": SMALL,
            "audio_config": {
                "patch_embeds_hidden_size": 16,
                "depths": [1, 1],
                "num_attention_heads": [2, 2],
                "hidden_size": 32,
                "num_mel_bins": 16,
                "spec_size": 64,
            },
        },
        lambda: masked_ids() | {"input_features": torch.zeros(2, 1, 64, 16)},
    ),
    Family(
        "MusicGen",
        "MusicgenForConditionalGeneration",
        {
            "text_encoder": {"model_type": "t5"} | T5,
            "audio_encoder": {
                "model_type": "encodec",
                "num_filters": 4,
                "hidden_size": 16,
                "codebook_dim": 16,
                "codebook_size": 64,
            },
            "decoder": {
                "vocab_size": 64,
                "hidden_size": 32,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "ffn_dim": 64,
                "num_codebooks": 2,
            },
        },
        lambda: masked_ids() | {"decoder_input_ids": torch.ones(4, 6, dtype=torch.int64)},
    ),
)
