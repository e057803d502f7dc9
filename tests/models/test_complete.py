"""A checkpoint that lacks weights is refused: transformers would draw them at random."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import mediation as med
from mediation.models.loading._complete import from_pretrained

TOK = med.testing.tiny_tokenizer()
FILE = "model.safetensors"
LEAVES_OUT = {
    "an mlp": ("model.layers.1.mlp.",),
    "a norm": ("model.norm.weight",),
    "the embedding": ("model.embed_tokens.weight",),
    "an untied head": ("lm_head.weight",),
    "a block": ("model.layers.0.",),
}


@pytest.fixture
def place(tmp_path):
    TOK.save_pretrained(tmp_path)
    med.testing.tiny_model("llama").save_pretrained(tmp_path)
    return tmp_path


def edit(place, change):
    held = load_file(place / FILE)
    save_file(change(held), place / FILE, metadata={"format": "pt"})


def without(*parts):
    return lambda held: {name: value for name, value in held.items() if not name.startswith(parts)}


def configure(place, **changes):
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(config | changes))


@pytest.mark.parametrize("family", med.testing.FAMILIES)
def test_whole_checkpoints_load_without_a_word(family, tmp_path):
    net = med.testing.tiny_model(family)
    net.config.architectures = [type(net).__name__]
    net.save_pretrained(tmp_path)
    loaded = med.load(tmp_path, TOK)
    held = dict(net.named_parameters())
    assert all(torch.equal(value, held[name]) for name, value in loaded.module.named_parameters())


@pytest.mark.parametrize("case", LEAVES_OUT)
def test_missing_weights_are_named(case, place):
    edit(place, without(*LEAVES_OUT[case]))
    with pytest.raises(med.errors.BackendError, match="would be random numbers") as refused:
        med.load(place)
    assert LEAVES_OUT[case][0] in str(refused.value)
    assert "the checkpoint lacks" in str(refused.value)


def test_they_are_counted(place):
    edit(place, without("model.layers.1."))
    with pytest.raises(
        med.errors.BackendError, match=r"lacks 9 weights of LlamaForCausalLM \(model.layers.1.*\(5 more\)\)"
    ):
        med.load(place)


def test_one_layer_too_many(place):
    configure(place, num_hidden_layers=3)
    with pytest.raises(med.errors.BackendError, match=r"lacks 9 weights .*model.layers.2.input_layernorm.weight"):
        med.load(place)


def test_one_layer_too_few_is_warned_of(place):
    configure(place, num_hidden_layers=1)
    with pytest.warns(
        med.errors.UnusedWeightsWarning, match=r"no place for 9 weights .*model.layers.1.input_layernorm"
    ):
        assert med.load(place).n_layers == 1


def test_a_name_that_no_part_has_is_warned_of(place):
    edit(place, lambda held: {**held, "model.layers.0.adapter.weight": torch.zeros(2)})
    with pytest.warns(med.errors.UnusedWeightsWarning, match="layers.0.adapter.weight"):
        med.load(place)


@pytest.mark.parametrize("option", [{}, {"ignore_mismatched_sizes": True}])
def test_other_shapes_are_refused_in_one_sentence(place, option):
    configure(place, intermediate_size=24)
    with pytest.raises(
        med.errors.BackendError, match=r"6 weights .*down_proj.weight is \(16, 32\) and must be \(16, 24\)"
    ):
        med.load(place, **option)


def test_a_head_that_was_never_trained(place):
    configure(place, architectures=["LlamaForSequenceClassification"])
    with pytest.raises(
        med.errors.BackendError, match=r"lacks 1 weight of LlamaForSequenceClassification \(score.weight\)"
    ):
        med.load(place)


def test_weights_that_are_tied_are_not_missing(tmp_path):
    med.testing.tiny_model("llama", tie_word_embeddings=True).save_pretrained(tmp_path)
    assert not any("lm_head" in name for name in load_file(tmp_path / FILE))
    net = med.load(tmp_path, TOK).module
    assert net.lm_head.weight is net.model.embed_tokens.weight
    edit(tmp_path, without("model.embed_tokens"))
    with pytest.raises(med.errors.BackendError, match=r"embed_tokens.weight"):
        med.load(tmp_path, TOK)


def test_a_shard_that_is_missing(tmp_path):
    med.testing.tiny_model("llama").save_pretrained(tmp_path, max_shard_size="20KB")
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(shards) > 1
    assert med.load(tmp_path, TOK).n_layers == 2
    shards[1].unlink()
    with pytest.raises(med.errors.BackendError, match=shards[1].name):
        med.load(tmp_path, TOK)


def test_a_shard_without_what_its_index_says(tmp_path):
    med.testing.tiny_model("llama").save_pretrained(tmp_path, max_shard_size="20KB")
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    name = next(name for name in index["weight_map"] if "layers.1.mlp" in name)
    shard = tmp_path / index["weight_map"][name]
    save_file({key: value for key, value in load_file(shard).items() if key != name}, shard, metadata={"format": "pt"})
    with pytest.raises(med.errors.BackendError, match=name):
        med.load(tmp_path, TOK)


class Made(nn.Module):
    """Stands for a class of transformers: parameters that share a tensor, and buffers."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.norm = nn.Linear(2, 2), nn.Linear(2, 2), nn.BatchNorm1d(2)
        self.second.weight = self.first.weight
        self.register_buffer("position_ids", torch.arange(3))

    missing = ()

    @classmethod
    def from_pretrained(cls, directory, **options):
        assert options["output_loading_info"]
        return cls(), {"missing_keys": list(cls.missing), "unexpected_keys": [], "mismatched_keys": []}


@pytest.mark.parametrize(
    ("missing", "refused"),
    [
        (("position_ids", "norm.num_batches_tracked"), False),
        (("second.weight",), False),
        (("first.weight",), False),
        (("first.weight", "second.weight"), True),
        (("first.bias",), True),
        (("norm.running_mean",), True),
    ],
)
def test_what_must_be_there(missing, refused):
    kind = type("Kind", (Made,), {"missing": missing})
    if not refused:
        assert isinstance(from_pretrained(kind, "here", "here", {}), Made)
        return
    with pytest.raises(med.errors.BackendError, match=missing[-1]):
        from_pretrained(kind, "here", "here", {})


def gguf_file(path, net, left_out=(), blocks=2):
    gguf = pytest.importorskip("gguf")
    pytest.importorskip("accelerate")
    parts = {
        "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    }  # fmt: skip
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    names |= {f"model.layers.{i}.{ours}": f"blk.{i}.{theirs}" for i in (0, 1) for ours, theirs in parts.items()}
    writer, config = gguf.GGUFWriter(path, "llama"), net.config
    writer.add_context_length(128)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(blocks)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    for name, tensor in net.named_parameters():
        theirs = names[name.removesuffix(".weight")] + ".weight"
        if theirs not in left_out:
            writer.add_tensor(theirs, tensor.detach().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_gguf_files_with_missing_tensors(tmp_path):
    net = med.testing.tiny_model("llama")
    whole = med.load(gguf_file(tmp_path / "whole.gguf", net), TOK).module
    assert torch.equal(whole.model.layers[1].mlp.up_proj.weight, net.model.layers[1].mlp.up_proj.weight)
    with pytest.raises(med.errors.BackendError, match=r"lacks 1 weight .*model.layers.1.mlp.up_proj.weight"):
        med.load(gguf_file(tmp_path / "lacks.gguf", net, ("blk.1.ffn_up.weight",)), TOK)
    with pytest.raises(med.errors.BackendError, match=r"lacks 9 weights .*model.layers.2"):
        med.load(gguf_file(tmp_path / "more.gguf", net, blocks=3), TOK)
