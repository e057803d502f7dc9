"""Processors from files: is what is loaded the processor that the files describe, with or without torchvision?"""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from transformers.models.smolvlm import processing_smolvlm
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil
from transformers.utils import is_torchvision_available

import mediation as med
from mediation.models.loading._processor import image_only, load_processor, still_images
from mediation.testing import VISION_FAMILIES, tiny_model, tiny_processor, tiny_tokenizer, tiny_vision_model

CLASSES = {
    "qwen2_5_vl": transformers.Qwen2_5_VLProcessor,
    "qwen3_vl": transformers.Qwen3VLProcessor,
    "llava": transformers.LlavaProcessor,
    "llava_onevision": transformers.LlavaOnevisionProcessor,
    "idefics3": transformers.Idefics3Processor,
    "smolvlm": transformers.SmolVLMProcessor,
}
VIDEO = ("qwen2_5_vl", "qwen3_vl", "llava_onevision", "smolvlm")
every_family = pytest.mark.parametrize("family", VISION_FAMILIES)
video_families = pytest.mark.parametrize("family", VIDEO)
no_torchvision = pytest.mark.skipif(is_torchvision_available(), reason="torchvision makes the part for videos")
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (56, 84, 3), dtype=np.uint8))
# torchvision rounds to whole intensities where Pillow may round otherwise: 1 of 255, in deviations of about a quarter.
PIXELS = 0.05 if is_torchvision_available() else 0.0


def placeholder(family):
    return "<|vision_start|><|image_pad|><|vision_end|>" if family.startswith("qwen") else "<image>"


def batch(processor, family):
    return processor(text=[placeholder(family) + "The cat<think>"], images=[[PICTURE]], return_tensors="pt")


def same(found, expected):
    assert set(found) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=PIXELS if name == "pixel_values" else 0.0, rtol=0.0)


def without_videos(processor):
    return {name: value for name, value in processor.to_dict().items() if name != "video_processor"}


@every_family
def test_a_saved_processor_loads_again_and_gives_the_same_batches(family, tmp_path):
    processor = tiny_processor(family, ["<think>"])
    processor.save_pretrained(tmp_path / "once")
    again = load_processor(str(tmp_path / "once"))
    assert isinstance(again, CLASSES[family])
    assert type(again).__name__ == CLASSES[family].__name__
    assert again.chat_template == processor.chat_template
    assert without_videos(again) == without_videos(processor)
    same(batch(again, family), batch(processor, family))
    again.save_pretrained(tmp_path / "twice")
    assert load_processor(str(tmp_path / "twice")).to_dict() == again.to_dict()


@every_family
def test_options_go_to_the_processors_own_loader(family, tmp_path):
    tiny_processor(family).save_pretrained(tmp_path / "sub")
    assert load_processor(str(tmp_path)) is None
    assert isinstance(load_processor(str(tmp_path), subfolder="sub", trust_remote_code=False), CLASSES[family])


@no_torchvision
@video_families
def test_transformers_alone_cannot_make_these(family, tmp_path):
    """Else the detour of this module is not needed any more."""
    tiny_processor(family).save_pretrained(tmp_path)
    with pytest.raises((ImportError, AttributeError)):
        transformers.AutoProcessor.from_pretrained(tmp_path)


@every_family
@pytest.mark.parametrize("named", [True, False], ids=["class named", "class by the model's type"])
def test_checkpoints_in_the_older_layout(family, named, tmp_path):
    """Image settings in preprocessor_config.json, the processor's own in processor_config.json if it has any."""
    processor = tiny_processor(family, ["<think>"])
    written = processor.to_dict()
    named = {"processor_class": written["processor_class"]} if named else {}
    own = {name: written[name] for name in written if not name.endswith(("_processor", "_class"))}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**written["image_processor"], **named}))
    if own:
        (tmp_path / "processor_config.json").write_text(json.dumps({**own, **named}))
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": processor.chat_template}))
    processor.tokenizer.save_pretrained(tmp_path)
    if not named:
        tiny_vision_model(family).config.save_pretrained(tmp_path)
    again = load_processor(str(tmp_path))
    assert isinstance(again, CLASSES[family])
    assert again.chat_template == processor.chat_template
    same(batch(again, family), batch(processor, family))


@every_family
def test_a_full_checkpoints_video_settings_survive(family, tmp_path):
    processor = tiny_processor(family)
    processor.save_pretrained(tmp_path)
    file = tmp_path / "processor_config.json"
    settings = json.loads(file.read_text())
    if family not in VIDEO:
        assert "video_processor" not in settings
        return
    assert hasattr(transformers, settings["video_processor"]["video_processor_type"])
    settings["video_processor"]["rescale_factor"] = 0.5
    file.write_text(json.dumps(settings))
    load_processor(str(tmp_path)).save_pretrained(tmp_path / "again")
    written = json.loads((tmp_path / "again" / "processor_config.json").read_text())["video_processor"]
    assert written.items() >= settings["video_processor"].items()


@pytest.mark.parametrize("tokenizer", [True, False])
def test_a_text_only_checkpoint_has_no_processor(tokenizer, tmp_path):
    tiny_model("llama").save_pretrained(tmp_path)
    if tokenizer:
        tiny_tokenizer().save_pretrained(tmp_path)
    assert load_processor(str(tmp_path)) is None


def test_a_model_of_images_alone_has_no_processor(tmp_path):
    transformers.ViTConfig().save_pretrained(tmp_path)
    ViTImageProcessorPil().save_pretrained(tmp_path)
    assert load_processor(str(tmp_path)) is None


@every_family
def test_unreadable_files_are_an_error(family, tmp_path):
    tiny_processor(family).save_pretrained(tmp_path)
    (tmp_path / "processor_config.json").write_text("{")
    with pytest.raises(med.errors.BackendError, match=r"could not be read .*JSON"):
        load_processor(str(tmp_path))


@every_family
def test_missing_files_are_an_error(family, tmp_path):
    tiny_processor(family).save_pretrained(tmp_path)
    for file in tmp_path.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(med.errors.BackendError, match="tokenizer's files"):
        load_processor(str(tmp_path))


def test_smolvlm_without_num2words_says_what_to_install(tmp_path, monkeypatch):
    tiny_processor("smolvlm").save_pretrained(tmp_path)
    monkeypatch.setattr(processing_smolvlm, "num2words", None)
    with pytest.raises(med.errors.BackendError, match=r"pip install num2words"):
        load_processor(str(tmp_path))
    with pytest.raises(med.errors.BackendError, match=r"SmolVLMProcessor.*pip install num2words"):
        tiny_processor("smolvlm")


@every_family
def test_the_class_without_videos(family):
    real = CLASSES[family]
    made = still_images(real)
    assert made is still_images(real)
    assert (made is real) == (family not in VIDEO)
    assert issubclass(made, real)
    assert (made.__name__, made.__qualname__, made.__module__) == (real.__name__, real.__qualname__, real.__module__)
    assert made.get_attributes() == ["image_processor", "tokenizer"]
    assert still_images(made) is made


@video_families
def test_a_video_is_refused(family):
    processor = tiny_processor(family)
    frames = [PICTURE]
    with pytest.raises(med.errors.DesignError, match="only images and text"):
        processor(text=[processor.video_token], videos=[frames], return_tensors="pt")


@video_families
def test_a_processor_can_be_copied(family):
    processor = tiny_processor(family, ["<think>"])
    same(batch(copy.deepcopy(processor), family), batch(processor, family))


def test_options_of_the_class_reach_it():
    parts = tiny_processor("smolvlm")
    made = image_only(transformers.SmolVLMProcessor, parts.image_processor, parts.tokenizer, image_seq_len=3)
    assert made.image_seq_len == 3
    assert made.image_processor is parts.image_processor
    assert made.tokenizer is parts.tokenizer
