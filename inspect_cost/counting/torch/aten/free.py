"""Operators that move, create, look up or describe data, and compute nothing.

They are listed because an operator that is known to be free is not one that was forgotten.
"""

from typing import Any

from inspect_cost.counting.torch.aten.rule import Rule
from inspect_cost.values.cost import FREE, OpCost

_VIEWS = """
    alias as_strided broadcast_to chunk concat contiguous detach diagonal expand expand_as
    flatten flip fliplr flipud hsplit imag lift lift_fresh lift_fresh_copy mH mT matrix_H
    movedim moveaxis numpy_T permute positive pin_memory ravel real resolve_conj
    resolve_neg reshape reshape_as conj _conj _conj_physical _neg_view select slice split
    split_with_sizes squeeze swapaxes swapdims t adjoint transpose unbind unflatten unfold
    unsafe_chunk
    unsafe_split unsafe_split_with_sizes unsqueeze view view_as view_as_complex view_as_real vsplit
    dsplit _unsafe_view _reshape_alias atleast_1d atleast_2d atleast_3d squeeze_copy view_copy
    expand_copy permute_copy slice_copy select_copy transpose_copy unsqueeze_copy t_copy
    alias_copy detach_copy diagonal_copy as_strided_copy narrow_copy split_copy unbind_copy
    split_with_sizes_copy unfold_copy view_as_real_copy view_as_complex_copy _reshape_copy
"""

_COPIES = """
    cat _chunk_cat clone column_stack concatenate copy dstack hstack stack vstack repeat
    repeat_interleave.Tensor roll rot90 tile to type_as _to_copy
    cpu cuda pad constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d
    replication_pad1d replication_pad2d replication_pad3d _pad_circular pixel_shuffle
    pixel_unshuffle channel_shuffle native_channel_shuffle im2col block_diag diag diag_embed
    diagflat tril_indices triu_indices set_ complex fill zero _pack_padded_sequence
    _pad_packed_sequence pad_sequence combinations meshgrid cartesian_prod _nested_tensor_from_mask
"""

_LOOKUPS = """
    embedding gather index index_select masked_select take take_along_dim
    _unsafe_index _unsafe_masked_index index_copy index_fill masked_scatter nonzero
    masked_scatter_backward
    nonzero_numpy argwhere slice_scatter as_strided_scatter nonzero_static select_scatter
    diagonal_scatter one_hot upsample_nearest1d upsample_nearest2d upsample_nearest3d
    _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d max_unpool2d
    max_unpool3d _to_dense _to_sparse _to_sparse_csr _to_sparse_csc _to_sparse_bsr _to_sparse_bsc
    sparse_mask sparse_coo_tensor sparse_compressed_tensor _sparse_coo_tensor_with_dims
    _sparse_coo_tensor_with_dims_and_tensors _sparse_compressed_tensor_with_dims _coalesced
    sparse_resize_and_clear_ copy_sparse_to_sparse_ _convert_indices_from_coo_to_csr
    _convert_weight_to_int4pack _convert_weight_to_int4pack_for_cpu _dyn_quant_pack_4bit_weight
    _convert_indices_from_csr_to_coo _sparse_broadcast_to _validate_compressed_sparse_indices
"""

_FACTORIES = """
    arange empty empty_like empty_strided empty_permuted eye full full_like linspace logspace
    new_empty new_empty_strided new_full new_ones new_zeros ones ones_like range rand rand_like
    randn randn_like randint randint_like randperm normal normal_ uniform uniform_ bernoulli
    bernoulli_ exponential exponential_ log_normal_ geometric_ cauchy_ random_ multinomial poisson
    scalar_tensor tensor zeros zeros_like resize_ resize resize_as
    resize_as_sparse hann_window hamming_window blackman_window
    bartlett_window kaiser_window fft_fftfreq fft_rfftfreq
    _efficientzerotensor _new_zeros_with_same_feature_meta
"""

_QUESTIONS = """
    _local_scalar_dense item size numel dim stride is_complex is_floating_point is_nonzero
    is_same_size is_signed is_pinned isreal result_type can_cast
    sym_size sym_stride sym_numel sym_storage_offset sym_is_contiguous
    _assert_async _assert_tensor_metadata _assert_scalar _nested_tensor_from_mask_left_aligned
    is_contiguous storage_offset promote_types
    data _version output_nr requires_grad_ retain_grad is_leaf __and__ __or__ __xor__ record_stream
    _linalg_check_errors lu_unpack _fused_sdp_choice
    _is_all_true _is_any_true _functional_assert_async _functional_assert_scalar
    _functional_sym_constrain_range _functional_sym_constrain_range_for_size sym_constrain_range
    sym_constrain_range_for_size _has_same_storage_numel _print is_set_to
    int_repr q_scale q_zero_point q_per_channel_scales q_per_channel_zero_points
    q_per_channel_axis qscheme _nnz _dimI _dimV sparse_dim dense_dim is_coalesced indices values
    _indices _values crow_indices col_indices ccol_indices row_indices
"""

_LOGIC = """
    logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_not
    bitwise_left_shift bitwise_right_shift __lshift__ __rshift__ gcd lcm
"""


def free(*_args: Any, **_kwargs: Any) -> OpCost:
    """Return the cost of an operator without arithmetic."""
    return FREE


FREE_OPERATORS: dict[str, Rule] = {
    f"aten.{name}": free
    for group in (_VIEWS, _COPIES, _LOOKUPS, _FACTORIES, _QUESTIONS, _LOGIC)
    for name in group.split()
} | {f"profiler._record_function_{name}": free for name in ("enter", "enter_new", "exit")}

#: By these, torch finds the shape of arithmetic with tangents that are zeros, which it then omits.
FREE_OPERATORS |= {f"prims.{name}": free for name in ("add", "sub", "mul", "div")}
