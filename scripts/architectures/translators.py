"""From one sequence of tokens to another."""

from architectures.family import SEQ2SEQ, T5, Family, source_and_target

SEQUENCE_TO_SEQUENCE = (
    Family("T5", "T5ForConditionalGeneration", T5, source_and_target),
    Family("mT5", "MT5ForConditionalGeneration", T5, source_and_target),
    Family("LongT5", "LongT5ForConditionalGeneration", T5 | {"local_radius": 4}, source_and_target),
    Family(
        "Switch",
        "SwitchTransformersForConditionalGeneration",
        T5 | {"num_experts": 4},
        source_and_target,
        weights="which tokens an expert takes is read from the values",
    ),
    Family("BART", "BartForConditionalGeneration", SEQ2SEQ, source_and_target),
    Family("mBART", "MBartForConditionalGeneration", SEQ2SEQ, source_and_target),
    Family("Pegasus", "PegasusForConditionalGeneration", SEQ2SEQ, source_and_target),
    Family(
        "Marian",
        "MarianMTModel",
        SEQ2SEQ | {"pad_token_id": 1, "decoder_start_token_id": 1},
        source_and_target,
    ),
    Family("M2M100", "M2M100ForConditionalGeneration", SEQ2SEQ, source_and_target),
    Family("Blenderbot", "BlenderbotForConditionalGeneration", SEQ2SEQ, source_and_target),
    Family(
        "LED", "LEDForConditionalGeneration", SEQ2SEQ | {"attention_window": 8}, source_and_target
    ),
)
