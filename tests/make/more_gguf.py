"""More GGUF files with reference answers: what llama.cpp's converter writes of families, settings and types that the
reference files lack.

    make_gguf.py --set more_gguf.py --llama FOLDER --runner PROGRAM --work SCRATCH --out FOLDER [--only NAME,NAME]
    check.py --bin MADANG gguf FOLDER
    converted_folders.py MADANG (a folder whose gguf/ is FOLDER)

make_gguf.py executes this with add(), q() and cfg_common(). Left out is what those files cannot say: windows of Mistral,
Mixtral, Qwen 2 and StarCoder 2, Llama 4's chunk, whether Qwen 2's experts are renormalized. Not part of the normal tests.
"""

import conversion.glm
import conversion.granite
import conversion.qwen

# The vocabularies are tiny; what marks a text's begin and end in the published ones is not in them.
conversion.glm.SolarOpenModel.set_vocab = lambda self: self._set_vocab_gpt2()
conversion.glm.Glm4Model.set_vocab = lambda self: self._set_vocab_gpt2()
conversion.qwen.Qwen3NextModel.no_mtp = True


def attending_layers(self, usual=conversion.granite.GraniteHybridModel.get_attn_layers):
    """Layers have other names since transformers 5 than in published configurations, and the converter knows those."""
    published = {"full_attention": "attention", "linear_attention": "mamba"}
    if "layer_types" in self.hparams:
        self.hparams["layer_types"] = [published.get(t, t) for t in self.hparams["layer_types"]]
    return usual(self)


conversion.granite.GraniteHybridModel.get_attn_layers = attending_layers

F16, Q8 = [("f16", "f16", None, 0)], [("q8_0", "q8_0", None, 0)]
LLAMA, GEMMA = ("spm:LlamaTokenizer", None), ("spm:GemmaTokenizer", None)
MIXED = dict(
    mamba_n_heads=4,
    mamba_d_head=32,
    mamba_n_groups=1,
    mamba_d_state=16,
    mamba_d_conv=4,
    mamba_expand=2,
    mamba_chunk_size=16,
)
LATENT = dict(
    kv=4,
    kv_lora_rank=32,
    qk_nope_head_dim=16,
    qk_rope_head_dim=8,
    head_dim=8,
    n_routed_experts=8,
    num_experts_per_tok=3,
    moe_intermediate_size=32,
)
GRANITE = dict(
    tie_word_embeddings=True,
    embedding_multiplier=6.0,
    residual_multiplier=0.4,
    attention_multiplier=0.1,
    logits_scaling=2.0,
)
THREE_OF_FOUR = ["sliding_attention"] * 3 + ["full_attention"]


def yarn(factor, trained, **more):
    return dict(
        rope_type="yarn",
        rope_theta=10000.0,
        factor=factor,
        original_max_position_embeddings=trained,
        beta_fast=32.0,
        beta_slow=1.0,
        **more
    )

add("gemma1", "gemma", cfg_common(kv=1, head_dim=24, tie_word_embeddings=True), *GEMMA, Q8, zero=True)
add("llama-bias", "llama", cfg_common(attention_bias=True, mlp_bias=True, h=96, heads=6, kv=3, ff=160), *LLAMA, [("f16",
    "f16", None, 0), ("q5_1", "f16", "Q5_1", 0), ("q4_1", "f16", "Q4_1", 0), ("q5_0", "f16", "Q5_0", 0)])
add("llama-hd", "llama", cfg_common(h=96, heads=4, kv=4, head_dim=32, L=3), *LLAMA, [("iq4_nl", "f16", "IQ4_NL", 0)])
add("llama-256", "llama", cfg_common(h=256, heads=8, kv=2, ff=512, L=2), *LLAMA, q("Q5_K_M", "Q5_K_S", "Q3_K_L",
    "Q4_K_S", "IQ3_S", "IQ2_S", "IQ2_XS", "IQ3_M", "IQ1_S", "TQ1_0", "TQ2_0", "Q8_0"))
add("qwen3-256", "qwen3", cfg_common(h=256, heads=4, kv=2, ff=256, L=2, head_dim=64, tie_word_embeddings=True), "bpe",
    "qwen2", q("Q5_K_M", "Q3_K_S", "IQ2_M"))
add("qwen3moe-256", "qwen3_moe", cfg_common(h=256, heads=4, kv=2, L=2, head_dim=64, num_experts=6,
    num_experts_per_tok=3, moe_intermediate_size=256, norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[]),
    "bpe", "qwen2", q("Q4_K_M", "Q2_K"))
add("smollm3", "smollm3", cfg_common(L=4, tie_word_embeddings=True, no_rope_layers=[1, 1, 1, 0],
    no_rope_layer_interval=4), "bpe", "smollm", F16 + Q8)
add("olmo3", "olmo3", cfg_common(L=4, sliding_window=8, layer_types=THREE_OF_FOUR), "bpe", "olmo", F16)
add("olmo3-yarn", "olmo3", cfg_common(L=4, sliding_window=8, layer_types=THREE_OF_FOUR,
    rope_parameters=dict(full_attention=yarn(4.0, 128), sliding_attention=dict(rope_type="default",
    rope_theta=10000.0))), "bpe", "olmo", F16)
add("glm4", "glm4", cfg_common(head_dim=16, attention_bias=True, rope_parameters=dict(rope_type="default",
    rope_theta=10000.0, partial_rotary_factor=0.5)), "bpe", "glm4", F16)
add("lfm2", "lfm2", cfg_common(L=4, layer_types=["conv", "full_attention", "conv", "full_attention"],
    block_auto_adjust_ff_dim=False, conv_L_cache=3, tie_word_embeddings=True), "bpe", "lfm2", Q8)
add("cohere2", "cohere2", cfg_common(L=4, head_dim=16, sliding_window=8, layer_types=THREE_OF_FOUR,
    tie_word_embeddings=True, logit_scale=0.25), "bpe", "command-r", F16, json_add=dict(rotary_pct=1.0))
add("cohere-norm", "cohere", cfg_common(tie_word_embeddings=True, logit_scale=0.5, use_qk_norm=True), "bpe",
    "command-r", F16)
add("phimoe", "phimoe", cfg_common(num_local_experts=4, num_experts_per_tok=2, attention_bias=True, lm_head_bias=True,
    sliding_window=None, original_max_position_embeddings=512, max_position_embeddings=2048,
    rope_parameters=dict(rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=512,
    short_mscale=1.1055415868759155, long_mscale=1.1055415868759155, short_factor=[1.0 + 0.03 * i for i in range(8)],
    long_factor=[1.5 + 0.6 * i for i in range(8)])), *LLAMA, F16, json_add=dict(architectures=["PhiMoEForCausalLM"],
    rope_scaling=dict(type="longrope", short_mscale=1.1055415868759155, long_mscale=1.1055415868759155,
    short_factor=[1.0 + 0.03 * i for i in range(8)], long_factor=[1.5 + 0.6 * i for i in range(8)])))
add("phi3-swa", "phi3", cfg_common(sliding_window=8, kv=4), *LLAMA, F16)
add("exaone4-swa", "exaone4", cfg_common(L=4, sliding_window=8, sliding_window_pattern=4, layer_types=THREE_OF_FOUR,
    head_dim=16, rope_parameters=dict(rope_type="llama3", rope_theta=10000.0, factor=16.0, low_freq_factor=1.0,
    high_freq_factor=4.0, original_max_position_embeddings=32)), "bpe", "exaone4", F16 + Q8)
add("exaone-moe", "exaone_moe", cfg_common(L=4, sliding_window=8, sliding_window_pattern=4, layer_types=THREE_OF_FOUR,
    head_dim=16, first_k_dense_replace=1, mlp_layer_types=["dense"] + ["sparse"] * 3, num_experts=8,
    num_experts_per_tok=3, num_shared_experts=1, moe_intermediate_size=32, n_group=1, topk_group=1, norm_topk_prob=True,
    routed_scaling_factor=2.5, scoring_func="sigmoid"), "bpe", "exaone-moe", F16 + Q8)
add("solar-open", "solar_open", cfg_common(L=3, head_dim=16, n_routed_experts=8, num_experts_per_tok=3,
    n_shared_experts=1, moe_intermediate_size=32, n_group=1, topk_group=1, norm_topk_prob=True,
    routed_scaling_factor=1.6, first_k_dense_replace=0, rope_parameters=dict(rope_type="yarn", rope_theta=1000000.0,
    partial_rotary_factor=1.0, factor=2.0, original_max_position_embeddings=128, beta_fast=32.0, beta_slow=1.0)), "bpe",
    "solar-open", F16)
add("bamba", "bamba", cfg_common(L=3, attn_layer_indices=[1], **MIXED, partial_rotary_factor=0.5), "bpe", "refact", F16)
add("granite-hybrid", "granitemoehybrid", cfg_common(L=3, layer_types=["mamba", "attention", "mamba"], **MIXED,
    num_local_experts=4, num_experts_per_tok=2, shared_intermediate_size=48, ff=32, **GRANITE,
    position_embedding_type="nope"), "bpe", "refact", F16 + Q8)
add("granite-hybrid-dense", "granitemoehybrid", cfg_common(L=3, layer_types=["mamba", "attention", "mamba"], **MIXED,
    num_local_experts=0, num_experts_per_tok=0, shared_intermediate_size=96, ff=96, **GRANITE,
    position_embedding_type="nope"), "bpe", "refact", F16)
add("granitemoe", "granitemoe", cfg_common(num_local_experts=4, num_experts_per_tok=2, ff=48, **GRANITE), "bpe",
    "refact", F16)
add("nemotron-h", "nemotron_h", dict(vocab_size=384, hidden_size=64, layers_block_type=["mamba", "moe", "attention",
    "mlp", "mamba"], num_attention_heads=4, num_key_value_heads=2, head_dim=16, intermediate_size=96, mamba_num_heads=4,
    mamba_head_dim=32, n_groups=2, ssm_state_size=16, conv_kernel=4, expand=2, chunk_size=16, n_routed_experts=4,
    n_shared_experts=1, num_experts_per_tok=2, moe_intermediate_size=32, moe_shared_expert_intermediate_size=48,
    n_group=1, topk_group=1, norm_topk_prob=True, routed_scaling_factor=1.7, max_position_embeddings=512,
    bos_token_id=1, eos_token_id=2, pad_token_id=0, use_mamba_kernels=False, tie_word_embeddings=False), "bpe",
    "pixtral", F16)
add("qwen3next", "qwen3_next", cfg_common(L=4, head_dim=16, linear_conv_kernel_dim=4, linear_key_head_dim=16,
    linear_num_key_heads=2, linear_num_value_heads=4, linear_value_head_dim=16, num_experts=4, num_experts_per_tok=2,
    moe_intermediate_size=32, shared_expert_intermediate_size=48, norm_topk_prob=True, decoder_sparse_step=1,
    mlp_only_layers=[]), "bpe", "qwen2", F16 + Q8)
add("falcon-mamba", "falcon_mamba", dict(vocab_size=384, hidden_size=64, num_hidden_layers=2, state_size=16, expand=2,
    conv_kernel=4, time_step_rank=4, intermediate_size=128, mixer_rms_eps=1e-06, use_bias=False, use_conv_bias=True,
    tie_word_embeddings=False, bos_token_id=1, eos_token_id=2, pad_token_id=2), "bpe", "falcon", F16)
add("mamba2-q", "mamba2", dict(vocab_size=384, hidden_size=64, num_hidden_layers=2, state_size=16, expand=2,
    conv_kernel=4, num_heads=4, head_dim=32, n_groups=1, chunk_size=16, use_bias=False, use_conv_bias=True,
    tie_word_embeddings=False, bos_token_id=1, eos_token_id=2, pad_token_id=2), "bpe", "olmo", Q8)
add("deepseek2-lite", "deepseek_v2", cfg_common(**LATENT, q_lora_rank=None, v_head_dim=16, n_shared_experts=2,
    first_k_dense_replace=1, routed_scaling_factor=1.0, norm_topk_prob=False, topk_method="greedy", n_group=1,
    topk_group=1, moe_layer_freq=1, scoring_func="softmax", rope_parameters=yarn(4.0, 128, mscale=0.707,
    mscale_all_dim=0.707)), "bpe", "deepseek-llm", Q8)
add("deepseek3-yarn", "deepseek_v3", cfg_common(**LATENT, L=3, q_lora_rank=32, v_head_dim=24, n_shared_experts=1,
    first_k_dense_replace=2, routed_scaling_factor=2.5, norm_topk_prob=True, n_group=2, topk_group=1,
    scoring_func="sigmoid", topk_method="noaux_tc", rope_parameters=yarn(4.0, 128, mscale=1.0, mscale_all_dim=1.0)),
    "bpe", "deepseek-v3", F16)
add("gptneox-serial", "gpt_neox", cfg_common(use_parallel_residual=False, hidden_act="gelu"), "bpe", "olmo", Q8,
    json_add=dict(rotary_pct=0.25))
add("falcon-11b", "falcon", dict(vocab_size=384, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
    num_kv_heads=2, new_decoder_architecture=True, num_ln_in_parallel_attn=1, parallel_attn=True, bias=False,
    multi_query=True, alibi=False, tie_word_embeddings=False, max_position_embeddings=512, bos_token_id=1,
    eos_token_id=2), "bpe", "falcon", Q8)
add("gpt-oss-256", "gpt_oss", cfg_common(h=128, ff=96, L=4, num_local_experts=6, num_experts_per_tok=3, head_dim=32,
    sliding_window=8, layer_types=["sliding_attention", "full_attention"] * 2, rope_parameters=dict(rope_type="yarn",
    rope_theta=150000.0, factor=32.0, beta_fast=32.0, beta_slow=1.0, original_max_position_embeddings=200,
    truncate=False)), "bpe", "gpt-4o", [("mxfp4", "bf16", None, 0)], gpt_oss=True)
add("jamba-dense", "jamba", cfg_common(L=4, ff=96, num_experts=2, num_experts_per_tok=1, expert_layer_period=2,
    expert_layer_offset=1, attn_layer_period=4, attn_layer_offset=1, mamba_d_state=8, mamba_d_conv=4, mamba_expand=2,
    mamba_dt_rank=8, use_mamba_kernels=False, pad_token_id=0, tie_word_embeddings=True), *LLAMA, F16)
add("gemma3-1b", "gemma3_text", cfg_common(L=7, ff=96, kv=1, head_dim=32, sliding_window=8, query_pre_attn_scalar=32,
    tie_word_embeddings=True, layer_types=["sliding_attention"] * 5 + ["full_attention"] + ["sliding_attention"],
    rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1000000.0),
    sliding_attention=dict(rope_type="default", rope_theta=10000.0))), *GEMMA, F16, zero=True)
add("qwen3-yarn", "qwen3", cfg_common(head_dim=32, rope_parameters=dict(rope_type="yarn", rope_theta=1000000.0,
    factor=4.0, original_max_position_embeddings=64)), "bpe", "qwen2", F16)
