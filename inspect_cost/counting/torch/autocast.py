"""Autocast on tensors without values: torch's own casts those of the device's backend alone.

Torch casts operands before autograd sees an operator, so that gradients flow through the casts.
Tensors on meta pass it by. Here the operators that autocast knows get kernels of their own, at the
place in torch's order where it casts for a kind of device that nothing runs on; a count opens that
place for its own thread. Each kernel casts as torch's does, by `aten.to`, which is then an operator
of the count like any other, and calls the operator itself.

Torch keeps the casts of weights until the context ends, and says nobody when that is. So where the
first is kept here, one is kept there too, of a tensor with a single number: when that one is freed,
the context has ended.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any
from weakref import ref

import torch
from torch import Tensor, UntypedStorage
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from inspect_cost.counting.torch.cast_inside import COMPOSITES, take_apart

#: The places in torch's order, by the kind of device that is followed: those of autocast for
#: devices that torch itself has no kernels for.
PLACES = {"cpu": "AutocastIPU", "cuda": "AutocastHPU"}


def _make_keys(place: str) -> torch._C.DispatchKeySet:
    return torch._C.DispatchKeySet(torch._C._parse_dispatch_key(place))  # type: ignore[arg-type]


KEYS = {kind: _make_keys(place) for kind, place in PLACES.items()}

#: What becomes of the floating operands of an operator, by the kind of the device.
LOWER, SINGLE, SINGLE_RESULT, WIDEST = "lower", "single", "single result", "widest"
#: Nothing becomes of its operands, but of those of its parts.
INSIDE = "inside"

#: Operators that run in the lower precision.
_LOWER_ON_CPU = """
    _convolution.deprecated conv1d conv1d.padding conv2d conv2d.padding conv3d conv3d.padding
    conv_tbc conv_transpose1d conv_transpose2d.input conv_transpose3d.input prelu addmm
    _addmm_activation matmul mm linalg_vecdot linear addbmm baddbmm bmm mkldnn_rnn_layer
    scaled_dot_product_attention _native_multi_head_attention
"""
_LOWER_ON_CUDA = """
    _convolution.deprecated _convolution conv1d conv2d conv3d conv_tbc conv_transpose1d
    conv_transpose2d.input conv_transpose3d.input convolution prelu addmm addmv addr matmul einsum
    mm mv linalg_vecdot linear addbmm baddbmm bmm chain_matmul linalg_multi_dot lstm_cell gru_cell
    rnn_tanh_cell rnn_relu_cell _thnn_fused_lstm_cell _thnn_fused_gru_cell
    _scaled_dot_product_flash_attention scaled_dot_product_attention
"""
#: Operators whose operands are widened to the widest among them.
_WIDEST_ON_CPU = "stack cat index_copy"
_WIDEST_ON_CUDA = """
    addcdiv addcmul atan2 bilinear cross dot vdot grid_sampler index_put tensordot scatter_add
"""
#: Operators of single precision.
_SINGLE_ON_CUDA = """
    acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan
    pow.Tensor_Scalar pow.Tensor_Tensor pow.Scalar softplus layer_norm native_layer_norm rms_norm
    group_norm frobenius_norm.dim nuclear_norm nuclear_norm.dim cosine_similarity poisson_nll_loss
    cosine_embedding_loss nll_loss nll_loss2d hinge_embedding_loss kl_div l1_loss smooth_l1_loss
    huber_loss mse_loss margin_ranking_loss multilabel_margin_loss soft_margin_loss
    triplet_margin_loss multi_margin_loss binary_cross_entropy_with_logits dist pdist cdist renorm
    logsumexp upsample_nearest1d _upsample_nearest_exact1d upsample_nearest2d
    _upsample_nearest_exact2d upsample_nearest3d _upsample_nearest_exact3d upsample_linear1d
    upsample_bilinear2d _upsample_bilinear2d_aa upsample_trilinear3d upsample_bicubic2d
    _upsample_bicubic2d_aa
"""
#: Operators that are told to yield single precision, unless they are told otherwise.
_SINGLE_RESULT_ON_CUDA = """
    prod prod.dim_int softmax.int log_softmax.int cumprod cumsum linalg_vector_norm
    linalg_matrix_norm linalg_matrix_norm.str_ord sum sum.dim_IntList
"""


def _list_policies() -> dict[str, dict[str, str]]:
    """Return what autocast does, by the kind of device and by the name of an overload."""
    # On a CPU, whatever else torch has a kernel for runs in single precision.
    own = (name for name in _list_registered("cpu") if name.startswith("aten::"))
    cpu = dict.fromkeys((name.removeprefix("aten::") for name in own), SINGLE)
    cpu |= dict.fromkeys(_LOWER_ON_CPU.split(), LOWER) | dict.fromkeys(
        _WIDEST_ON_CPU.split(), WIDEST
    )
    cuda = (
        dict.fromkeys(_SINGLE_ON_CUDA.split(), SINGLE)
        | dict.fromkeys(_SINGLE_RESULT_ON_CUDA.split(), SINGLE_RESULT)
        | dict.fromkeys(_LOWER_ON_CUDA.split(), LOWER)
        | dict.fromkeys(_WIDEST_ON_CUDA.split(), WIDEST)
    )
    inside = dict.fromkeys(COMPOSITES.split(), INSIDE)
    return {"cpu": inside | cpu, "cuda": inside | cuda}


def _list_registered(kind: str) -> list[str]:
    """Return all operators that autocast has a kernel for, torch's own and those of libraries."""
    names: list[str] = torch._C._dispatch_get_registrations_for_dispatch_key(_name_torchs(kind))
    return names


def _name_torchs(kind: str) -> str:
    """Return the place in torch's order where it casts for a kind of device."""
    return f"Autocast{kind.upper()}"


class Autocast:
    """The casts of one count.

    Args:
        device: where the model would run.
    """

    def __init__(self, device: torch.device) -> None:
        self.kind = device.type if device.type != "meta" else "cpu"
        self._device = torch.device("cpu") if device.type == "meta" else device
        # Casts that live until the context ends, by the identity of what was cast, which is alive.
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}
        self._witness: ref[UntypedStorage] | None = None

    def cast(self, policy: str, func: OpOverload, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """Cast the operands of an operator as torch would."""
        if policy == SINGLE_RESULT:
            return args, self._ask_for_single(func, args, kwargs)
        lower = torch.get_autocast_dtype(self.kind)
        dtype = lower if policy == LOWER else torch.float32
        if policy == WIDEST and not any(self._is_single(leaf) for leaf in _leaves(args)):
            dtype = lower
        # The last first, as torch's compiler has it: so do their gradients follow in their turn.
        named = {name: self._cast_value(kwargs[name], dtype) for name in reversed(kwargs)}
        return tuple(self._cast_value(value, dtype) for value in reversed(args))[::-1], named

    def _ask_for_single(self, func: OpOverload, args: Any, kwargs: Any) -> Any:
        names = [argument.name for argument in func._schema.arguments]
        place = names.index("dtype")
        given = args[place] if place < len(args) else kwargs.get("dtype")
        if given is not None or place < len(args) or not self._takes(args[0]):
            return kwargs
        return {**kwargs, "dtype": torch.float32}

    def _takes(self, value: Any) -> bool:
        """Return whether a value is a tensor that torch would cast."""
        return (
            isinstance(value, Tensor)
            and value.is_floating_point()
            and value.dtype is not torch.float64
            and value.device.type in {self.kind, "meta"}
        )

    def _is_single(self, value: Any) -> bool:
        return self._takes(value) and value.dtype is torch.float32

    def _cast_value(self, value: Any, dtype: torch.dtype) -> Any:
        """Cast a tensor, or those in a list."""
        if isinstance(value, (list, tuple)):
            return type(value)(self._cast_value(item, dtype) for item in value)
        if not self._takes(value) or value.dtype is dtype:
            return value
        return self._cast_weight(value, dtype) if self._is_kept(value, dtype) else value.to(dtype)

    def _is_kept(self, tensor: Tensor, dtype: torch.dtype) -> bool:
        """Return whether torch keeps the cast of a tensor: of weights that are trained, it does."""
        return (
            torch.is_autocast_cache_enabled()
            and dtype is not torch.float32
            and tensor.dtype is torch.float32
            and tensor.requires_grad
            and tensor.is_leaf
            and not tensor._is_view()
        )

    def _cast_weight(self, weight: Tensor, dtype: torch.dtype) -> Tensor:
        if self._witness is None or self._witness() is None:
            self._kept.clear()
            self._witness = _leave_witness(self._device, self._forget)
        if id(weight) not in self._kept:
            self._kept[id(weight)] = weight, weight.to(dtype)
        return self._kept[id(weight)][1]

    def _forget(self, _witness: Any) -> None:
        self._kept.clear()


def _leaves(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _leaves(value)
        else:
            yield value


_CASTS = {torch.ops.aten.to.dtype, torch.ops.aten._to_copy.default}


class _Watch(TorchDispatchMode):
    """A mode that refers to the memory of a cast weakly, and calls ``on_end`` when it is freed."""

    def __init__(self, on_end: Callable[[Any], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch has no types here
        self._on_end = on_end
        self.witness: ref[UntypedStorage] | None = None

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] = MappingProxyType({}),
    ) -> Any:
        del types
        out = func(*args, **kwargs)
        if func in _CASTS:
            self.witness = ref(out.untyped_storage(), self._on_end)
        try:
            return out
        finally:
            del out  # this frame may outlive the call, in the traceback of some import's error


def _leave_witness(
    device: torch.device, on_end: Callable[[Any], None]
) -> ref[UntypedStorage] | None:
    """Let torch keep the cast of a tensor of its own, and call ``on_end`` when that is freed."""
    watch = _Watch(on_end)
    with torch.inference_mode(mode=False), torch.no_grad(), _disable_current_modes():
        weight = torch.zeros(1, 1, device=device, requires_grad=True)
        with _only_torch_casts(device), watch:
            torch.mm(weight, weight)
    return watch.witness


def _only_torch_casts(device: torch.device) -> Any:
    """Return a context in which torch's own autocast is open, and ours is closed."""
    ours, own = KEYS[device.type], _make_keys(_name_torchs(device.type))
    included = torch._C._dispatch_tls_local_include_set() - ours
    excluded = (torch._C._dispatch_tls_local_exclude_set() | ours) - own
    return torch._C._ForceDispatchKeyGuard(included, excluded)


_CURRENT = threading.local()
_LIBRARIES: dict[str, tuple[torch.library.Library, ...]] = {}
#: What was registered for operators of other libraries, by the kind of device and the operator.
_FOREIGN: dict[tuple[str, str], torch.library.Library] = {}
_LOCK = threading.Lock()


@contextmanager
def follow_autocast(device: torch.device) -> Iterator[None]:
    """Let autocast cast tensors without values within this context, on this thread.

    Args:
        device: where the model would run.
    """
    casts, before = Autocast(device), getattr(_CURRENT, "casts", None)
    if casts.kind not in PLACES:
        yield
        return
    _register_kernels(casts.kind)
    _register_foreign_kernels(casts.kind)
    included = torch._C._dispatch_tls_local_include_set() | KEYS[casts.kind]
    excluded = torch._C._dispatch_tls_local_exclude_set() - KEYS[casts.kind]
    _CURRENT.casts = casts
    try:
        with torch._C._ForceDispatchKeyGuard(included, excluded):
            yield
    finally:
        _CURRENT.casts = before


def _register_kernels(kind: str) -> None:
    """Register the kernels, once in a process; other threads and code do not come by them."""
    with _LOCK:
        if kind in _LIBRARIES:
            return
        place = PLACES[kind]
        others = torch.library.Library("_", "IMPL")
        others.fallback(torch.library.fallthrough_kernel, place)
        _pass_higher_order(place)
        own = torch.library.Library("aten", "IMPL")
        for name, policy in _list_policies()[kind].items():
            func = _find_overload("aten", name)
            own.impl(name, _make_kernel(func, policy, KEYS[kind]), place)
        _LIBRARIES[kind] = (others, own)


def _register_foreign_kernels(kind: str) -> None:
    """Register kernels for operators of other libraries, those loaded since the last time too."""
    with _LOCK:
        for full_name in _list_registered(kind):
            namespace, _, name = full_name.partition("::")
            if namespace == "aten" or (kind, full_name) in _FOREIGN:
                continue
            library = _FOREIGN[kind, full_name] = torch.library.Library(namespace, "IMPL")
            kernel = _make_foreign_kernel(_find_overload(namespace, name), kind)
            library.impl(name, kernel, PLACES[kind])


def _find_overload(namespace: str, name: str) -> OpOverload:
    packet, _, overload = name.partition(".")
    func: OpOverload = getattr(
        getattr(getattr(torch.ops, namespace), packet), overload or "default"
    )
    return func


def _pass_higher_order(place: str) -> None:
    """Let operators that take functions pass a place by, those that are yet to come as well."""
    key = torch._C._parse_dispatch_key(place)
    if key is None:
        return
    torch._ops._HIGHER_ORDER_OP_DEFAULT_FALLTHROUGH_DISPATCH_KEYS.append(key)
    for operator in torch._ops._higher_order_ops.values():
        operator.fallthrough(key)


def _make_kernel(
    func: OpOverload, policy: str, keys: torch._C.DispatchKeySet
) -> Callable[..., Any]:
    """Make the kernel of one operator, from what becomes of its operands."""

    def kernel(*args: Any, **kwargs: Any) -> Any:
        casts: Autocast | None = getattr(_CURRENT, "casts", None)
        if casts is not None and not torch.is_autocast_enabled(casts.kind):
            casts = None
        if casts is not None and policy == INSIDE:
            return take_apart(func, casts.kind, args, kwargs)
        with torch._C._ExcludeDispatchKeyGuard(keys):
            if casts is not None:
                args, kwargs = casts.cast(policy, func, args, kwargs)
            return func(*args, **kwargs)

    return kernel


def _make_foreign_kernel(func: OpOverload, kind: str) -> Callable[..., Any]:
    """Make the kernel of an operator that has one of its own for autocast: that one is called."""
    ours, own = KEYS[kind], _make_keys(_name_torchs(kind))

    def kernel(*args: Any, **kwargs: Any) -> Any:
        with torch._C._ExcludeDispatchKeyGuard(ours):
            if torch.is_autocast_enabled(kind):
                return func.redispatch(own, *args, **kwargs)
            return func(*args, **kwargs)

    return kernel
