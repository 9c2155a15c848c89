#!/usr/bin/env python3
"""make_models.py with more cases: classes that it has none for, and settings that classes of its own honour.

    more_models.py MAKE_MODELS [its arguments]

The reference answers beside the repository vary shapes; here it is flags: biases, activations, tied heads, norms on
heads, windows, routing. --random-shapes draws them all; random_shapes.py does. Needs torch and transformers, as
make_models.py does.
"""
import importlib.util, sys

found = importlib.util.spec_from_file_location("make_models", sys.argv.pop(1))
make = importlib.util.module_from_spec(found)
found.loader.exec_module(make)
case, D, rope, theta, eps, GQA, MHA = make.case, make.D, make.rope, make.theta, make.eps, make.GQA, make.MHA

BOTH = (False, True)


def flags(p, *names):
    return {name: p(name, False, BOTH) for name in names}


def acts(p, *names):
    return p("act", names[0], names)


def dense(p, model_type, shapes=GQA, keys=(), act=("silu", "gelu", "gelu_pytorch_tanh", "relu"), **more):
    """Llama's numbers with drawn flags and activation."""
    d = D(p, shapes=shapes, vocab=256)
    c = d.llama(rms_norm_eps=eps(p, 1e-5), rope_parameters=rope(theta(p, 10000)), hidden_act=acts(p, *act),
                **flags(p, "tie_word_embeddings", *keys))
    c.update(more)
    return d.out(model_type, c)


@case("llama-flags", "LlamaForCausalLM", "biases, activation, tied head")
def _(p):
    return dense(p, "llama", keys=("attention_bias", "mlp_bias"), head_dim=p("head_dim", 12, (6, 10, 16, 24)))


@case("mistral-flags", "MistralForCausalLM", "activation, tied head, window or none")
def _(p):
    return dense(p, "mistral", sliding_window=p("window", None, (None, 2, 7, 36, 100)), head_dim=p("head_dim", 12, (8, 20)))


@case("qwen2-flags", "Qwen2ForCausalLM", "windows from a layer on, or none; tied head")
def _(p):
    return dense(p, "qwen2", use_sliding_window=p("windows", False, BOTH), sliding_window=p("window", 8, (5, 11)),
                 max_window_layers=p("first", 1, (0, 1, 2)))


@case("qwen3-flags", "Qwen3ForCausalLM", "biases, windows, tied head")
def _(p):
    return dense(p, "qwen3", keys=("attention_bias",), head_dim=p("head_dim", 12, (8, 16)),
                 use_sliding_window=p("windows", False, BOTH), sliding_window=p("window", 8, (5, 11)),
                 max_window_layers=p("first", 1, (0, 1, 2)))


@case("olmo2-flags", "Olmo2ForCausalLM", "biases, activation, tied head")
def _(p):
    return dense(p, "olmo2", keys=("attention_bias",))


@case("granite-flags", "GraniteForCausalLM", "biases, activation, tied head, multipliers")
def _(p):
    return dense(p, "granite", keys=("attention_bias", "mlp_bias"), embedding_multiplier=p("emb", 1.0, (3.0, 12.0)),
                 residual_multiplier=p("res", 1.0, (0.22, 0.5)), attention_multiplier=p("attn", 1.0, (0.2, 0.0625)),
                 logits_scaling=p("logits", 1.0, (8.0, 3.0)))


@case("granitemoe", "GraniteMoeForCausalLM", "experts, biases, activation, tied head, multipliers")
def _(p):
    return dense(p, "granitemoe", keys=("attention_bias",), intermediate_size=p("inter", 12, (10, 20)),
                 num_local_experts=p("experts", 3, (2, 5)),
                 num_experts_per_tok=p("chosen", 2, (1, 2)), embedding_multiplier=p("emb", 3.0, (1.0, 12.0)),
                 residual_multiplier=p("res", 0.4, (1.0, 0.22)), attention_multiplier=p("attn", 0.2, (1.0, 0.0625)),
                 logits_scaling=p("logits", 2.0, (1.0, 8.0)))


@case("glm4-flags", "Glm4ForCausalLM", "biases or none, tied head, how much of a head rotates")
def _(p):
    return dense(p, "glm4", shapes=[(4, 2, 12), (6, 2, 8), (4, 2, 16)], keys=("attention_bias",), act=("silu", "gelu"),
                 head_dim=p("head_dim", 16, (8, 16)), pad_token_id=0,
                 rope_parameters=rope(10000, partial_rotary_factor=p("part", 0.5, (0.25, 1.0))))


@case("smollm3-flags", "SmolLM3ForCausalLM", "biases of the MLP, which layers have positions")
def _(p):
    # No biases of attention: those of keys change nothing where a layer has no positions.
    return dense(p, "smollm3", keys=("mlp_bias",), pad_token_id=0, num_hidden_layers=4,
                 no_rope_layer_interval=p("interval", 4, (2, 3)))


@case("gemma1-flags", "GemmaForCausalLM", "biases, activation")
def _(p):
    out = dense(p, "gemma", keys=("attention_bias",), act=("gelu_pytorch_tanh", "gelu", "silu"), pad_token_id=0,
                head_dim=p("head_dim", 20, (10, 18)), tie_word_embeddings=True)
    return dict(out, norm_offset=True, embed_std=0.05)


@case("cohere-flags", "CohereForCausalLM", "norms on heads, biases, logit scale")
def _(p):
    d = D(p, vocab=272)
    return d.out("cohere", dict(
        d.llama(layer_norm_eps=eps(p, 1e-5), rope_parameters=rope(theta(p, 10000)), pad_token_id=0,
                logit_scale=p("logit_scale", 0.25, (0.0625, 1.5)), tie_word_embeddings=True,
                **flags(p, "use_qk_norm", "attention_bias")), hidden_act=acts(p, "silu", "gelu")))


@case("phi-flags", "PhiForCausalLM", "norms on heads, grouped heads, activation")
def _(p):
    d = D(p, shapes=[(4, 2, 24), (4, 4, 16), (6, 2, 8)], vocab=256)  # a quarter is even: PhiAttention takes no other
    c = d.llama(layer_norm_eps=1e-5, hidden_act=acts(p, "gelu_new", "gelu", "relu"), **flags(p, "qk_layernorm"))
    return d.out("phi", dict(c, rope_parameters=rope(theta(p, 10000), partial_rotary_factor=p("part", 0.5, (0.25, 1.0)))))


@case("phi3-flags", "Phi3ForCausalLM", "activation, tied head, window, how much of a head rotates")
def _(p):
    return dense(p, "phi3", shapes=[(4, 2, 12), (4, 4, 16), (6, 2, 8)], act=("silu", "gelu_pytorch_tanh"), pad_token_id=0,
                 sliding_window=p("window", None, (None, 9)),
                 rope_parameters=rope(10000, partial_rotary_factor=p("part", 1.0, (0.5, 0.75))))


@case("gpt2-flags", "GPT2LMHeadModel", "scaling by layer or none, activation, width of the MLP")
def _(p):
    d = D(p, shapes=MHA, vocab=257)
    return d.out("gpt2", dict(
        vocab_size=d.vocab, n_embd=d.hidden, n_layer=d.layers, n_head=d.heads, n_positions=128,
        n_inner=p("inner", None, (None, 60, 100)), scale_attn_weights=p("scaled", True, BOTH),
        activation_function=acts(p, "gelu_new", "gelu", "relu"), layer_norm_epsilon=eps(p, 1e-5), bos_token_id=1,
        eos_token_id=2, **flags(p, "scale_attn_by_inverse_layer_idx")), conv1d=True)


@case("gptneox-flags", "GPTNeoXForCausalLM", "biases or none, serial or parallel, activation, tied head")
def _(p):
    d = D(p, shapes=[(4, 4, 12), (3, 3, 16), (6, 6, 8)], vocab=256)
    return d.out("gpt_neox", dict(
        vocab_size=d.vocab, hidden_size=d.hidden, num_hidden_layers=d.layers, num_attention_heads=d.heads,
        intermediate_size=d.inter, hidden_act=acts(p, "gelu", "gelu_new", "relu"), max_position_embeddings=256,
        layer_norm_eps=eps(p, 1e-5), attention_bias=p("biases", True, BOTH), bos_token_id=1, eos_token_id=2,
        rope_parameters=rope(theta(p, 10000), partial_rotary_factor=p("part", 0.25, (0.5, 1.0))),
        **flags(p, "use_parallel_residual", "tie_word_embeddings")))


@case("falcon-flags", "FalconForCausalLM", "biases, linear biases or rotation, serial or parallel, one or all kv heads")
def _(p):
    d = D(p, shapes=[(4, 4, 12), (6, 6, 8), (4, 4, 16), (5, 5, 10)], vocab=272)
    return d.out("falcon", dict(
        vocab_size=d.vocab, hidden_size=d.hidden, num_hidden_layers=d.layers, num_attention_heads=d.heads,
        ffn_hidden_size=p("ffn", 104, (104, 120)), new_decoder_architecture=False, bos_token_id=1, eos_token_id=2,
        max_position_embeddings=256, layer_norm_epsilon=1e-5, rope_parameters=rope(theta(p, 10000)),
        **flags(p, "bias", "alibi", "parallel_attn", "multi_query", "tie_word_embeddings")), attn="sdpa")


@case("mixtral-flags", "MixtralForCausalLM", "one to all experts, activation, tied head")
def _(p):
    return dense(p, "mixtral", act=("silu", "gelu"), intermediate_size=p("moe_inter", 20, (16, 24)), num_local_experts=4,
                 num_experts_per_tok=p("topk", 2, (1, 2, 3, 4)), sliding_window=None)


@case("mamba-flags", "MambaForCausalLM", "biases, tied head")
def _(p):
    return make.mamba(p, "mamba", tie_word_embeddings=p("tied", True, BOTH), use_bias=p("bias", False, BOTH),
                      use_conv_bias=p("conv_bias", True, BOTH))


@case("falcon-mamba-flags", "FalconMambaForCausalLM", "biases, tied head")
def _(p):
    return make.mamba(p, "falcon_mamba", tie_word_embeddings=p("tied", True, BOTH), use_bias=p("bias", False, BOTH),
                      use_conv_bias=p("conv_bias", True, BOTH))


@case("bloom", "BloomForCausalLM", "linear biases, numbers of heads that are no power of two, norm after the embedding")
def _(p):
    d = D(p, shapes=MHA, vocab=257)
    return d.out("bloom", dict(vocab_size=d.vocab, hidden_size=d.hidden, n_layer=d.layers, n_head=d.heads,
                               layer_norm_epsilon=eps(p, 1e-5), bos_token_id=1, eos_token_id=2, tie_word_embeddings=True))


@case("starcoder2", "Starcoder2ForCausalLM", "biases or none, window or none, activation, tied head")
def _(p):
    d = D(p, vocab=256)
    return d.out("starcoder2", dict(
        d.llama(rope_parameters=rope(theta(p, 10000)), tie_word_embeddings=p("tied", True, BOTH)),
        norm_epsilon=eps(p, 1e-5), use_bias=p("bias", True, BOTH), sliding_window=p("window", None, (None, 9)),
        hidden_act=acts(p, "gelu_pytorch_tanh", "gelu")))


@case("stablelm", "StableLmForCausalLM", "serial or parallel, biases, norms on heads, how much of a head rotates")
def _(p):
    d = D(p, shapes=[(4, 2, 16), (6, 2, 8), (4, 4, 8), (3, 3, 16)], vocab=256)
    return d.out("stablelm", dict(
        d.llama(rope_parameters=rope(theta(p, 10000), partial_rotary_factor=p("part", 0.25, (0.5, 1.0)))),
        layer_norm_eps=eps(p, 1e-5), hidden_act=acts(p, "silu", "gelu"),
        **flags(p, "use_qkv_bias", "qk_layernorm", "use_parallel_residual", "tie_word_embeddings")))


if __name__ == "__main__":
    make.main()
