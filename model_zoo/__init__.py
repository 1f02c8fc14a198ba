"""Five published generative audio models, reimplemented to be read, and their presets.

    >>> import model_zoo
    >>> model = model_zoo.build("flowavenet", blocks=4)

The models' classes are here too, as `model_zoo.SING` and `model_zoo.SINGConfig`; importing this
package imports no torch before one of them is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from model_zoo.catalogue import PRESETS, UnknownModelError, build, names, preset
from model_zoo.registry import GenerationCall, Preset

if TYPE_CHECKING:
    from model_zoo.flowavenet import FloWaveNet as FloWaveNet
    from model_zoo.flowavenet_net import FloWaveNetConfig as FloWaveNetConfig
    from model_zoo.gansynth import GANSynth as GANSynth
    from model_zoo.gansynth import GANSynthConfig as GANSynthConfig
    from model_zoo.published import PublishedWeightsError as PublishedWeightsError
    from model_zoo.samplernn import SampleRNN as SampleRNN
    from model_zoo.samplernn import SampleRNNConfig as SampleRNNConfig
    from model_zoo.samplernn_port import PortedSampleRNN as PortedSampleRNN
    from model_zoo.samplernn_port import PortedSampleRNNConfig as PortedSampleRNNConfig
    from model_zoo.sing import SING as SING
    from model_zoo.sing import SINGConfig as SINGConfig
    from model_zoo.wavegan import WaveGAN as WaveGAN
    from model_zoo.wavegan import WaveGANConfig as WaveGANConfig

_HOMES = {
    "FloWaveNet": "flowavenet",
    "FloWaveNetConfig": "flowavenet",
    "GANSynth": "gansynth",
    "GANSynthConfig": "gansynth",
    "PublishedWeightsError": "published",
    "SampleRNN": "samplernn",
    "SampleRNNConfig": "samplernn",
    "PortedSampleRNN": "samplernn_port",
    "PortedSampleRNNConfig": "samplernn_port",
    "SING": "sing",
    "SINGConfig": "sing",
    "WaveGAN": "wavegan",
    "WaveGANConfig": "wavegan",
}

__all__ = [
    "PRESETS",
    "SING",
    "FloWaveNet",
    "FloWaveNetConfig",
    "GANSynth",
    "GANSynthConfig",
    "GenerationCall",
    "PortedSampleRNN",
    "PortedSampleRNNConfig",
    "Preset",
    "PublishedWeightsError",
    "SINGConfig",
    "SampleRNN",
    "SampleRNNConfig",
    "UnknownModelError",
    "WaveGAN",
    "WaveGANConfig",
    "build",
    "names",
    "preset",
]


def __getattr__(name: str) -> object:
    """Load a model's class from its file (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"model_zoo.{_HOMES[name]}"), name)
