"""The auxiliary head of SampleRNN's three-tier form, which only training needs.

Source: github.com/soroushmehr/sampleRNN_ICLR2017, commit ccf5af0, "IndependentPreds" in
models/three_tier/three_tier.py. Generation does without it; see `model_zoo.samplernn`.
"""

from collections.abc import Mapping
from typing import Self

from torch import Tensor, nn

from model_zoo.published import load_published
from model_zoo.samplernn import AUXILIARY_HEAD, Linear, SampleRNN, SampleRNNConfig


class AuxiliaryHead(nn.Module):
    """Head that predicts all samples of a frame at once, independently, from the top tier's cells.

    Its loss trains the top tier by itself, before the tiers below have learned to follow it.

    Shape:
        hidden: (B, F, D); result: (B, F N, Q) logits.
    """

    def __init__(self, config: SampleRNNConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SampleRNNConfig()
        if len(config.frame_sizes) == 1:
            raise ValueError("only a three-tier model, with two frame_sizes, has an auxiliary head")
        self.predictions = Linear(
            config.dim,
            config.frame_sizes[-1] * config.levels,
            weight_norm=config.weight_norm,
            init="he",
        )

    @classmethod
    def from_published(
        cls, state_dict: Mapping[str, Tensor], config: SampleRNNConfig | None = None
    ) -> Self:
        """Build the head with its weights in the authors' checkpoint, which also holds the model.

        Raises:
            PublishedWeightsError: one of the head's tensors is missing, surplus or misshapen.
        """
        head = cls(config)
        load_published(
            head,
            state_dict,
            lambda name: AUXILIARY_HEAD + PUBLISHED_PARAMETERS[name],
            training_only=lambda name: not name.startswith(AUXILIARY_HEAD),
        )
        return head

    def forward(self, hidden: Tensor) -> Tensor:
        return self.predictions(hidden).unflatten(-1, (-1, self.config.levels)).flatten(1, 2)

    def logits(self, model: SampleRNN, levels: Tensor) -> Tensor:
        """Return its logits of every level after the look-back, given whole frames before it.

        Shape:
            levels: (B, N + F N); result: (B, F N, Q).
        """
        top = model.top_down[0]
        frames = model.get_preceding(levels, top.frame, stride=top.frame)
        hidden, _ = top.compute_hidden(frames, None, top.rnn.make_initial_states(levels.shape[0]))
        return self(hidden)


#: A parameter's name here -> the last part of its name in the authors' checkpoints.
PUBLISHED_PARAMETERS = {
    "predictions.weight": "W0",
    "predictions.weight_v": "W0",
    "predictions.weight_g": "g0",
    "predictions.bias": "b",
}
