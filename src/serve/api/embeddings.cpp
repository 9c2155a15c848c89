// OpenAI's embeddings: POST /v1/embeddings. A vector for each text: hidden states after the final norm, pooled as the
// model's files say (engine/pooling.h) and otherwise as decoders are read, at their last token; cut to `dimensions` if
// asked, of length 1.
// Refuses: no input, empty texts, more than 2,048 of them, token ids outside the vocabulary, texts longer than the
// context (nothing is cut off in silence), more dimensions than the model has.
#include <bit>
#include <cmath>

#include <fmt/ranges.h>

#include "serve/api/routes.h"
#include "serve/fields.h"
#include "text/base64.h"

namespace madang {
namespace {

constexpr size_t most_inputs = 2048;  // OpenAI's

using Ids = std::vector<int32_t>;

struct EmbeddingsRequest {
  std::string model;
  std::vector<std::string> texts;  ///< one of both, with the names of their fields
  std::vector<Ids> tokens;
  std::vector<std::string> paths;
  std::optional<int64_t> dimensions;
  bool base64 = false;
};

[[noreturn]] void bad_input(const std::string& path) {
  throw Problem(say("'{}' must be a text, an array of texts, an array of token ids, or an array of such arrays", path),
                path, "invalid_type");
}

Ids read_tokens(const Json& array, const std::string& path) {
  Ids ids;
  for (const Json& id : array) {
    if (!id.is_number_integer()) bad_input(path);
    const bool fits = id.is_number_unsigned() ? id.get<uint64_t>() <= INT32_MAX : id.get<int64_t>() >= 0;
    if (!fits) throw Problem(say("'{}' holds a number that is no token id: {}", path, id.dump()), path);
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

void read_input(const Json& input, EmbeddingsRequest& r) {
  auto add = [&](const Json& one, const std::string& path) {
    if (one.empty() || (one.is_string() && one.get_ref<const std::string&>().empty()))
      throw Problem(say("'{}' must not be empty", path), path);
    r.paths.push_back(path);
    if (one.is_string())
      r.texts.push_back(one.get<std::string>());
    else
      r.tokens.push_back(read_tokens(one, path));
  };
  if (input.is_string()) return add(input, "input");
  if (!input.is_array()) bad_input("input");
  if (input.empty() || input[0].is_number()) return add(input, "input");
  if (input.size() > most_inputs)
    throw Problem(say("'{}' has {} entries; at most {} are taken at once", "input", input.size(), most_inputs), "input",
                  "array_above_max_length");
  for (size_t i = 0; i < input.size(); ++i) {
    const std::string path = fmt::format("input[{}]", i);
    if (input[i].type() != input[0].type() || !(input[i].is_string() || input[i].is_array())) bad_input(path);
    add(input[i], path);
  }
}

EmbeddingsRequest read_request(const Json& body) {
  EmbeddingsRequest r;
  Fields f(body, "");
  r.model = f.name("model");
  read_input(f.need("input", f.any("input")), r);
  r.dimensions = f.integer("dimensions", 1, INT32_MAX);
  r.base64 = f.choice("encoding_format", {"float", "base64"}).value_or("float") == "base64";
  f.accept({"user"});
  f.finish();
  return r;
}

// As the model was trained to read a text: BOS before it and EOS behind it where its files say so.
Ids encode(const OpenModel& model, const std::string& text) {
  const auto tokenizer = model.checkpoint->tokenizer();
  if (!tokenizer) throw Problem(say("the model '{}' has no tokenizer: give token ids", model.name), "input");
  Ids ids = tokenizer->encode(text, false);
  if (tokenizer->add_bos() && tokenizer->bos()) ids.insert(ids.begin(), *tokenizer->bos());
  if (tokenizer->add_eos() && tokenizer->eos()) ids.push_back(*tokenizer->eos());
  return ids;
}

// Throws what the engine would, with the field's name.
void check(const OpenModel& model, const Ids& ids, const std::string& path) {
  if (const int64_t context = model.engine->context(); static_cast<int64_t>(ids.size()) > context)
    throw Problem(say("'{}' has {} tokens, and the model's context is {}", path, ids.size(), context), path,
                  "context_length_exceeded");
  for (int32_t id : ids)
    if (const int64_t words = model.checkpoint->model().vocabulary(); id >= words)
      throw Problem(say("'{}' holds the token id {}, and the vocabulary ends at {}", path, id, words - 1), path);
}

void check_dimensions(const OpenModel& model, const EmbeddingsRequest& r) {
  const int64_t width = model.checkpoint->config().integer("hidden_size", INT32_MAX);
  if (r.dimensions && *r.dimensions > width)
    throw Problem(say("'{}' is {}, and the model has {}", "dimensions", *r.dimensions, width), "dimensions");
}

// To `dimensions`, and to length 1.
void finish(std::vector<float>& vector, const EmbeddingsRequest& r) {
  if (r.dimensions) vector.resize(std::min(vector.size(), static_cast<size_t>(*r.dimensions)));
  double squares = 0;
  for (float x : vector) squares += static_cast<double>(x) * static_cast<double>(x);
  if (!std::isfinite(squares)) throw Problem(not_numbers(say("the model's hidden states are not numbers"))).status(500);
  const double length = squares > 0 ? std::sqrt(squares) : 1;
  for (float& x : vector) x = static_cast<float>(static_cast<double>(x) / length);
}

std::string base64_of(const std::vector<float>& vector) {
  std::string bytes;
  for (float x : vector)
    for (int shift = 0; shift < 32; shift += 8)  // little-endian, whatever this machine is
      bytes += static_cast<char>(std::bit_cast<uint32_t>(x) >> shift & 0xFF);
  return encode_base64(bytes);
}

// Written by hand: a float has 9 digits, and would have 17 as the double that Json makes of it.
std::string answer(const std::string& model, const std::vector<std::vector<float>>& vectors, int64_t tokens,
                   bool base64) {
  std::string out = R"({"object":"list","data":[)";
  for (size_t i = 0; i < vectors.size(); ++i) {
    out += fmt::format(R"({}{{"object":"embedding","index":{},"embedding":)", i ? "," : "", i);
    out += base64 ? '"' + base64_of(vectors[i]) + '"' : fmt::format("[{}]", fmt::join(vectors[i], ","));
    out += '}';
  }
  out += fmt::format(R"(],"model":{},"usage":{{"prompt_tokens":{},"total_tokens":{}}}}})", Json(model).dump(), tokens,
                     tokens);
  return out;
}

Task<void> embeddings(Services& services, Exchange& x) {
  const EmbeddingsRequest request = read_request(parse_json(x.request().body, "request"));
  const Client& client = x.request().client;
  const auto model = co_await services.models.use(request.model);
  check_allowed(client, model->name);
  check_dimensions(*model, request);
  std::vector<Ids> prompts = request.tokens;
  for (const std::string& text : request.texts) prompts.push_back(encode(*model, text));
  int64_t tokens = 0;
  for (size_t i = 0; i < prompts.size(); ++i) {
    check(*model, prompts[i], request.paths[i]);
    tokens += static_cast<int64_t>(prompts[i].size());
  }
  x.note("model", model->name);
  x.note("input_tokens", std::to_string(tokens));
  std::vector<std::vector<float>> vectors = co_await model->engine->embed(std::move(prompts), client);
  account(services, client, model->name, tokens, 0, 0);
  for (std::vector<float>& vector : vectors) finish(vector, request);
  co_await x.reply(200, "application/json", answer(model->name, vectors, tokens, request.base64));
}

}  // namespace

std::vector<Route> embedding_routes() { return {{"POST", "/v1/embeddings", embeddings}}; }

}  // namespace madang
