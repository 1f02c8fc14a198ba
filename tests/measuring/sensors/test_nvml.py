"""NVIDIA GPUs, through a fake management library with a scripted counter."""

import os
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from inspect_cost.measuring.sensors import sampled_power
from inspect_cost.measuring.sensors.nvml import (
    NvmlSensor,
    find_foreign_processes,
    find_nvml_sensors,
)
from inspect_cost.measuring.sensors.protocol import (
    EnergySensor,
    SensorError,
    Sensors,
    Unavailable,
    subtract_j,
)
from inspect_cost.measuring.sensors.sampled_power import SampledPowerSensor
from tests.measuring.sensors.fake_nvml import (
    FakeGpu,
    FakeNvml,
    NVMLError,
    NVMLError_LibraryNotFound,
)

NO_SUCH_PID = 2**22 + 1  # above the largest that Linux gives


def found(*gpus: FakeGpu, device: str | None = None, torch_order: str = "ab") -> Sensors:
    """What is found for these GPUs, which torch numbers in that order of their UUIDs."""
    return find_nvml_sensors(device, nvml=FakeNvml(*gpus), uuids=lambda: list(torch_order))


def only(sensors: Sensors) -> EnergySensor:
    """The sensor, of which there is one."""
    (sensor,) = sensors.usable
    return sensor


def test_the_counter_is_in_joules() -> None:
    script = iter([1000, 5_000, 7_500])  # the first is for the question whether there is one
    sensor = only(found(FakeGpu("a", energy_mj=lambda: next(script))))
    assert subtract_j(sensor, sensor.read_j(), sensor.read_j()) == 2.5
    assert (sensor.domain, sensor.device, sensor.range_j) == ("gpu-0", "cuda:0", None)
    assert sensor.recommended_window_s >= 20 * sensor.period_s


def test_gpus_are_told_apart_by_uuid_not_by_number() -> None:
    first, second = FakeGpu("a", energy_mj=lambda: 1000), FakeGpu("b", energy_mj=lambda: 2000)
    sensor = only(found(first, second, device="cuda:0", torch_order="ba"))
    assert (sensor.domain, sensor.read_j()) == ("gpu-1", 2.0)
    assert only(found(first, second, device="cuda", torch_order="ba")).domain == "gpu-1"
    assert only(found(first, second, device="cuda:1", torch_order="ba")).domain == "gpu-0"


def test_a_gpu_that_torch_does_not_see_is_found_only_among_all() -> None:
    gpus = FakeGpu("a"), FakeGpu("b")
    assert only(found(*gpus, device="cuda:0", torch_order="b")).domain == "gpu-1"
    everything = found(*gpus, torch_order="b").usable
    assert [(sensor.domain, sensor.device) for sensor in everything] == [
        ("gpu-0", "gpu:0"),
        ("gpu-1", "cuda:0"),
    ]
    missing = found(*gpus, device="cuda:1", torch_order="b")
    assert missing.usable == ()
    assert "cuda:1" in missing.unavailable[0].reason


@pytest.mark.parametrize("device", [None, "cuda:0"])
def test_a_partitioned_gpu_is_refused(device: str | None) -> None:
    # To torch, the device is the partition, whose UUID no whole GPU has.
    sensors = found(FakeGpu("a", mig=True), device=device, torch_order="p")
    assert sensors.usable == ()
    refused = sensors.unavailable[-1]
    assert "MIG" in refused.reason
    assert "nvidia-smi" in refused.fix


def test_a_gpu_without_mig_is_not_refused() -> None:
    assert only(found(FakeGpu("a", mig=None)))


class Meter:
    """A GPU's power by the number and the moment of a sample, which is the sensor's moment too.

    So the integral is exact, however late a busy machine runs the sensor's thread.
    """

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, power_w: Callable[[int, float], float]
    ) -> None:
        self.start, self.moments, self.power_w = time.monotonic(), list[float](), power_w
        monkeypatch.setattr(sampled_power, "time", SimpleNamespace(monotonic=self.last_moment))

    def power_mw(self) -> int:
        self.moments.append(self.now_s())
        return round(1000 * self.power_w(len(self.moments), self.moments[-1]))

    def now_s(self) -> float:
        return time.monotonic() - self.start

    def last_moment(self) -> float:
        return self.moments[-1]

    def wait_for(self, samples: int) -> None:
        while len(self.moments) < samples:
            assert self.now_s() < 60, "nobody takes samples"
            time.sleep(0.01)


def test_without_a_counter_power_is_integrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ramp of 1 kW/s: the trapezoidal rule is exact, whenever the samples come."""
    meter = Meter(monkeypatch, lambda _, moment_s: 100 + 1000 * moment_s)
    sensor = only(found(FakeGpu("a", name="Tesla P100", energy_mj=None, power_mw=meter.power_mw)))
    assert isinstance(sensor, SampledPowerSensor)
    assert "sampled power" in sensor.source
    moments = [meter.now_s()]
    before_j = sensor.read_j()
    moments.append(meter.now_s())
    meter.wait_for(samples=10)
    moments.append(meter.now_s())
    after_j = sensor.read_j()
    moments.append(meter.now_s())
    sensor.close()

    def truth_j(began: float, ended: float) -> float:
        return 100 * (ended - began) + 500 * (ended**2 - began**2)

    least, most = truth_j(moments[1], moments[2]), truth_j(moments[0], moments[3])
    assert 0.999 * least <= subtract_j(sensor, before_j, after_j) <= 1.001 * most


def test_samples_are_taken_between_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pulse of power that neither reading sees: of the fifth sample to the ninth."""
    meter = Meter(monkeypatch, lambda number, _: 100 if 5 <= number <= 9 else 0)
    sensor = only(found(FakeGpu("a", energy_mj=None, power_mw=meter.power_mw)))
    assert isinstance(sensor, SampledPowerSensor)
    sensor.read_j()
    meter.wait_for(samples=10)
    energy_j = sensor.read_j()
    sensor.close()
    fourth, fifth, *_, ninth, tenth = meter.moments[3:10]
    assert energy_j == pytest.approx(100 * ((ninth - fourth) + (tenth - fifth)) / 2)


def test_neither_counter_nor_power() -> None:
    sensors = found(FakeGpu("a", energy_mj=None, power_mw=None))
    assert sensors.usable == ()
    assert sensors.unavailable[0].status == "refused"


def test_a_gpu_that_is_lost_is_named() -> None:
    gpu = FakeGpu("a")
    sensor = only(found(gpu))
    gpu.lost = True
    with pytest.raises(SensorError, match=r"gpu 0 \(NVIDIA H100 PCIe\): GPU is lost"):
        sensor.read_j()


@pytest.mark.parametrize(
    ("bits", "said"),
    [(0, None), (0x1 | 0x2 | 0x10 | 0x100, None), (0x4, "power limit"), (0x41, "heat")],
)
def test_throttling_is_a_disturbance(bits: int, said: str | None) -> None:
    told = only(found(FakeGpu("a", reasons=bits))).disturbance()
    assert told is None if said is None else told is not None and said in told


def test_other_processes_are_a_disturbance_and_this_one_is_none() -> None:
    assert only(found(FakeGpu("a", processes=[os.getpid()]))).disturbance() is None
    told = only(found(FakeGpu("a", processes=[os.getpid(), 1]))).disturbance()
    assert told == "gpu 0: other processes computed on it: 1"


def test_in_a_container_one_unknown_process_is_this_one() -> None:
    assert find_foreign_processes([NO_SUCH_PID]) == []
    assert find_foreign_processes([NO_SUCH_PID, NO_SUCH_PID + 1]) == [NO_SUCH_PID + 1]


def test_no_driver() -> None:
    nvml = FakeNvml(error=NVMLError_LibraryNotFound())
    (why,) = find_nvml_sensors(nvml=nvml, uuids=list).unavailable
    assert why == Unavailable("nvml", why.reason, why.fix, "absent")
    assert "libnvidia-ml" in why.reason
    (other,) = find_nvml_sensors(nvml=FakeNvml(error=NVMLError("odd")), uuids=list).unavailable
    assert "odd" in other.reason


def test_the_default_power_limit_in_watts() -> None:
    limits = []
    for gpu in (FakeGpu("a"), FakeGpu("a", limit_mw=None)):
        sensor = only(found(gpu))
        assert isinstance(sensor, NvmlSensor)
        limits.append(sensor.gpu.power_limit_w)
    assert limits == [350.0, None]


@pytest.mark.gpu
def test_a_real_gpu_consumes_more_under_load() -> None:
    import torch  # noqa: PLC0415 - the other tests need none

    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    from inspect_cost.measuring.doctor.doctor import diagnose  # noqa: PLC0415 - as above

    sensors = find_nvml_sensors("cuda:0")
    if not sensors.usable:
        pytest.skip(sensors.unavailable[0].reason)
    (examined,) = diagnose(10, sensors=sensors).sensors
    assert examined.fault == ""
    assert examined.idle_w is not None
    assert examined.load_w is not None
    assert 0 < examined.idle_w < examined.load_w < 1500
    assert examined.period_s is not None
    assert examined.period_s < 0.5
