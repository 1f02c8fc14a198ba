"""Generating token by token, with caches of keys and values or of states."""

from collections.abc import Callable

from architectures.family import GPT, GROUPED, SEQ2SEQ, T5, Family, Inputs, ids, masked_ids, mel


def continue_prompt(inputs: Callable[[], Inputs]) -> Callable[[], Inputs]:
    """Return a function to the inputs of `generate`: a prompt to continue by four tokens."""
    return lambda: inputs() | {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False}


PROMPT = continue_prompt(masked_ids)

#: Without an end-of-sequence token the length is known without looking at values.
ENDLESS = {"eos_token_id": None, "pad_token_id": 0}

GENERATION = (
    Family("GPT-2 generate", "GPT2LMHeadModel", GPT | ENDLESS, PROMPT, "generate"),
    Family("Llama generate", "LlamaForCausalLM", GROUPED | ENDLESS, PROMPT, "generate"),
    Family(
        "Mamba generate",
        "MambaForCausalLM",
        {"vocab_size": 128, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4} | ENDLESS,
        continue_prompt(ids),
        "generate",
    ),
    Family(
        "T5 generate",
        "T5ForConditionalGeneration",
        T5 | ENDLESS | {"decoder_start_token_id": 0},
        PROMPT,
        "generate",
    ),
    Family(
        "BART generate",
        "BartForConditionalGeneration",
        SEQ2SEQ | ENDLESS | {"forced_eos_token_id": None},
        PROMPT,
        "generate",
    ),
    Family(
        "Whisper generate",
        "WhisperForConditionalGeneration",
        SEQ2SEQ
        | {
            "num_mel_bins": 16,
            "max_source_positions": 32,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "decoder_start_token_id": 1,
        },
        continue_prompt(lambda: mel(16, 64)),
        "generate",
    ),
)
