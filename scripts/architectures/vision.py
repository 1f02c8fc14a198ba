"""Images and videos."""

from typing import Any

import torch

from architectures.family import SEQ2SEQ, VISION, Family, image

SWIN: dict[str, Any] = {
    "image_size": 64,
    "embed_dim": 16,
    "depths": [1, 1],
    "num_heads": [2, 2],
    "window_size": 4,
}
RESNET: dict[str, Any] = {"embedding_size": 8, "hidden_sizes": [16, 32], "depths": [1, 1]}
DETECTOR = {k: v for k, v in SEQ2SEQ.items() if k != "vocab_size"} | {
    "num_queries": 5,
    "num_labels": 3,
}

VISION_MODELS = (
    Family("ViT", "ViTModel", VISION, image),
    Family("DeiT", "DeiTModel", VISION, image),
    Family("BEiT", "BeitModel", VISION | {"use_relative_position_bias": True}, image),
    Family("Data2Vec vision", "Data2VecVisionModel", VISION, image),
    Family("DINOv2", "Dinov2Model", VISION, image),
    Family(
        "ViTMAE",
        "ViTMAEForPreTraining",
        VISION
        | {
            "decoder_hidden_size": 16,
            "decoder_num_hidden_layers": 1,
            "decoder_num_attention_heads": 2,
            "decoder_intermediate_size": 32,
        },
        image,
    ),
    Family(
        "ViTDet", "VitDetModel", VISION | {"window_size": 2, "window_block_indices": [0]}, image
    ),
    Family("Swin", "SwinModel", SWIN, image),
    Family("Swin v2", "Swinv2Model", SWIN, image),
    Family(
        "ConvNeXt",
        "ConvNextModel",
        {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]},
        image,
    ),
    Family(
        "ConvNeXt v2",
        "ConvNextV2Model",
        {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]},
        image,
    ),
    Family("ResNet", "ResNetModel", RESNET, image),
    Family("RegNet", "RegNetModel", RESNET | {"groups_width": 8}, image),
    Family("MobileNetV2", "MobileNetV2Model", {"depth_multiplier": 0.25}, image),
    Family(
        "EfficientNet",
        "EfficientNetModel",
        {"width_coefficient": 0.25, "depth_coefficient": 0.25, "hidden_dim": 320},
        image,
    ),
    Family(
        "MobileViT",
        "MobileViTModel",
        {
            "hidden_sizes": [16, 24, 32],
            "neck_hidden_sizes": [8, 8, 8, 16, 16, 16, 16],
            "num_attention_heads": 2,
        },
        image,
    ),
    Family(
        "LeViT",
        "LevitModel",
        {
            "image_size": 64,
            "hidden_sizes": [16, 32, 48],
            "num_attention_heads": [2, 2, 2],
            "depths": [1, 1, 1],
            "key_dim": [8, 8, 8],
        },
        image,
    ),
    Family(
        "PVT",
        "PvtModel",
        {"image_size": 64, "hidden_sizes": [8, 16, 40, 64], "depths": [1, 1, 1, 1]},
        image,
    ),
    Family(
        "SegFormer",
        "SegformerForSemanticSegmentation",
        {
            "hidden_sizes": [8, 16, 24, 32],
            "depths": [1, 1, 1, 1],
            "decoder_hidden_size": 32,
            "num_attention_heads": [1, 2, 2, 4],
        },
        image,
    ),
    Family(
        "UPerNet",
        "UperNetForSemanticSegmentation",
        {
            "backbone_config": {
                "model_type": "convnext",
                "hidden_sizes": [8, 16, 24, 32],
                "depths": [1, 1, 1, 1],
                "out_features": ["stage1", "stage2", "stage3", "stage4"],
            },
            "hidden_size": 16,
            "auxiliary_in_channels": 24,
            "auxiliary_channels": 8,
        },
        image,
    ),
    Family(
        "DPT",
        "DPTForDepthEstimation",
        VISION
        | {
            "num_hidden_layers": 4,
            "backbone_out_indices": [0, 1, 2, 3],
            "neck_hidden_sizes": [8, 16, 24, 32],
            "fusion_hidden_size": 16,
        },
        image,
    ),
    Family(
        "GLPN",
        "GLPNForDepthEstimation",
        {"hidden_sizes": [8, 16, 40, 64], "depths": [1, 1, 1, 1], "decoder_hidden_size": 16},
        image,
    ),
    Family(
        "DETR",
        "DetrForObjectDetection",
        DETECTOR
        | {
            "backbone_config": {"model_type": "resnet", **RESNET, "out_features": ["stage2"]},
            "use_timm_backbone": False,
            "use_pretrained_backbone": False,
            "backbone": None,
        },
        image,
    ),
    Family(
        "YOLOS",
        "YolosForObjectDetection",
        VISION | {"num_detection_tokens": 5, "image_size": [64, 64]},
        image,
    ),
    Family(
        "SAM",
        "SamModel",
        {
            "vision_config": {
                "hidden_size": 32,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "output_channels": 32,
                "image_size": 64,
                "patch_size": 16,
                "mlp_dim": 64,
                "num_pos_feats": 16,
                "global_attn_indexes": [1],
                "window_size": 2,
            },
            "prompt_encoder_config": {"hidden_size": 32, "image_size": 64, "patch_size": 16},
            "mask_decoder_config": {
                "hidden_size": 32,
                "mlp_dim": 64,
                "num_attention_heads": 4,
                "iou_head_hidden_dim": 32,
            },
        },
        lambda: image() | {"input_points": torch.zeros(2, 1, 1, 2)},
    ),
    Family(
        "VideoMAE",
        "VideoMAEModel",
        VISION | {"num_frames": 4},
        lambda: {"pixel_values": torch.zeros(2, 4, 3, 64, 64)},
    ),
    Family(
        "TimeSformer",
        "TimesformerModel",
        VISION | {"num_frames": 4},
        lambda: {"pixel_values": torch.zeros(2, 4, 3, 64, 64)},
    ),
)
