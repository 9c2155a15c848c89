// Text and tokens, as llama.cpp's server has them: POST /tokenize, /detokenize, /apply-template.
#include "serve/api/chat_request.h"
#include "serve/api/named_events.h"
#include "serve/api/routes.h"
#include "serve/fields.h"

namespace madang {
namespace {

Task<std::shared_ptr<const OpenModel>> open_model(Services& services, Exchange& x, Fields& fields) {
  const std::string name = fields.text("model").value_or("");
  auto model = co_await services.models.use(name);
  check_allowed(x.request().client, model->name);
  x.note("model", model->name);
  if (!model->checkpoint->tokenizer()) throw Problem(say("this model has no tokenizer: it takes token ids"), "model");
  co_return model;
}

// A text if it is one, else its bytes.
Json piece_of(const std::string& bytes) {
  try {
    (void)Json(bytes).dump();
    return bytes;
  } catch (const Json::exception&) {
    Json numbers = Json::array();
    for (char byte : bytes) numbers.push_back(static_cast<unsigned char>(byte));
    return numbers;
  }
}

Task<void> tokenize(Services& services, Exchange& x) {
  const Json body = parse_json(x.request().body, "request");
  Fields fields(body, "");
  const std::string content = fields.need("content", fields.text("content"));
  const bool add_special = fields.boolean("add_special").value_or(false);
  const bool parse_special = fields.boolean("parse_special").value_or(true);
  const bool pieces = fields.boolean("with_pieces").value_or(false);
  fields.accept({"model"});
  fields.finish();
  auto model = co_await open_model(services, x, fields);
  const Tokenizer& tokenizer = *model->checkpoint->tokenizer();
  auto ids = tokenizer.encode(content, parse_special);
  if (add_special && tokenizer.add_bos() && tokenizer.bos()) ids.insert(ids.begin(), *tokenizer.bos());
  if (add_special && tokenizer.add_eos() && tokenizer.eos()) ids.push_back(*tokenizer.eos());
  Json tokens = Json::array();
  for (int32_t id : ids) {
    if (pieces)
      tokens.push_back({{"id", id}, {"piece", piece_of(tokenizer.token_bytes(id))}});
    else
      tokens.push_back(id);
  }
  const Json answer = {{"tokens", std::move(tokens)}};
  co_await x.reply(200, "application/json", json_text(answer));
}

Task<void> detokenize(Services& services, Exchange& x) {
  const Json body = parse_json(x.request().body, "request");
  Fields fields(body, "");
  const Json& tokens = fields.need("tokens", fields.array("tokens"));
  fields.accept({"model"});
  fields.finish();
  auto model = co_await open_model(services, x, fields);
  const Tokenizer& tokenizer = *model->checkpoint->tokenizer();
  std::vector<int32_t> ids;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const Json& id = tokens[i];
    const bool fits = id.is_number_unsigned() && id.get<uint64_t>() < static_cast<uint64_t>(tokenizer.size());
    if (!fits)
      throw Problem(say("'{}' is no token id of this model: 0 to {}", id.dump().substr(0, 40), tokenizer.size() - 1),
                    "tokens[" + std::to_string(i) + "]", "invalid_value");
    ids.push_back(id.get<int32_t>());
  }
  const Json answer = {{"content", tokenizer.decode(ids)}};
  co_await x.reply(200, "application/json", json_text(answer));
}

Task<void> apply_template(Services& services, Exchange& x) {
  const Json body = parse_json(x.request().body, "request");
  Fields fields(body, "");
  TalkRequest request;
  read_conversation(fields, request);
  fields.accept({"model"});
  fields.finish();
  auto model = co_await open_model(services, x, fields);
  request.model = model->name;
  const Prompt prompt = co_await talk_prompt(services, std::move(request));
  const Json answer = {{"prompt", prompt.text + prompt.begun}};
  co_await x.reply(200, "application/json", json_text(answer));
}

}  // namespace

std::vector<Route> text_routes() {
  return {{"POST", "/tokenize", tokenize},
          {"POST", "/detokenize", detokenize},
          {"POST", "/apply-template", apply_template}};
}

}  // namespace madang
