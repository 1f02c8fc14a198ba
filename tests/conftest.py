"""What all tests share."""

import torch

# As many as CI has: tiny models gain nothing from more, and lose much on a busy machine.
torch.set_num_threads(2)
