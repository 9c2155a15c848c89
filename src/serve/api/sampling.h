// What chat completions and completions say in the same words: how to sample, when to stop, how many answers.
// Refuses: stop texts that are empty, longer than 1,024 bytes or more than 16; biases of what is no token id.
#pragma once
#include "engine/checkpoint.h"
#include "engine/sampler.h"
#include "serve/api/talk.h"
#include "serve/fields.h"

namespace madang {

/// temperature, top_p, top_k, min_p, repetition_penalty, frequency_penalty, presence_penalty, seed, stop, logit_bias,
/// n.
void read_sampling(Fields& fields, TalkRequest& out);

/// What the request says, else what the model's makers recommend, else OpenAI's defaults. The seed is request.seed.
SamplerOptions sampler_of(const TalkRequest& request, const GenerationDefaults& defaults);

uint64_t drawn_seed();

/// {"include_usage", "include_obfuscation"}; only with `stream`. True: the stream ends with a chunk that tells usage.
bool read_stream_options(Fields& fields, bool stream);

/// OpenAI's CompletionUsage.
Json usage_json(int64_t prompt, int64_t reused, int64_t answer, int64_t reasoning);

/// Bits of answers depend on the version of the program.
std::string system_fingerprint();

/// JSON has no infinities: OpenAI's number for the very unlikely.
double finite_logprob(float logprob);

}  // namespace madang
