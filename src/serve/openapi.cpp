#include "serve/openapi.h"

#include <string_view>

#include "base/json.h"
#include "base/version.h"

namespace madang {
namespace {

struct Field {
  std::string_view name, type, note;  ///< type: JSON Schema's; "any" for several
  bool required = false;
};

struct Operation {
  std::string_view method, path, tag, summary;
  std::vector<Field> body = {};
  std::string_view answer = "application/json";
  bool open = false;  ///< asks for no key
};

const std::vector<Field> sampling = {
    {"temperature", "number", "0: the likeliest token always; up to 2"},
    {"top_p", "number", "the likeliest tokens that reach this probability together"},
    {"top_k", "integer", "the k likeliest tokens; 0: all"},
    {"min_p", "number", "tokens at least this likely, beside the likeliest"},
    {"repetition_penalty", "number", "above 1: what was said is less likely"},
    {"frequency_penalty", "number", "-2 to 2, by how often a token was said"},
    {"presence_penalty", "number", "-2 to 2, if a token was said"},
    {"logit_bias", "object", "token id to -100 .. 100"},
    {"seed", "integer", "the same seed gives the same answer, under any load"},
    {"stop", "any", "texts that end the answer, up to four"},
    {"n", "integer", "answers to one prompt"},
    {"stream", "boolean", "server-sent events, as the answer comes"},
    {"stream_options", "object", "include_usage: a last chunk with the tokens used"},
};

std::vector<Field> with(std::vector<Field> first, const std::vector<Field>& more) {
  first.insert(first.end(), more.begin(), more.end());
  return first;
}

std::vector<Operation> operations() {
  const Field model = {"model", "string", "a name from /v1/models", true};
  const Field any_model = {"model", "string", "a name from /v1/models; the first one if not given"};
  return {
      {"get", "/v1/models", "Models", "The models that can be asked for, each with its context_window"},
      {"get", "/v1/models/{id}", "Models", "One model"},
      {"post", "/v1/chat/completions", "Chat", "The next message of a conversation",
       with({model,
             {"messages", "array", "role and content each; tool calls and their results", true},
             {"max_completion_tokens", "integer", "tokens of the answer at most"},
             {"max_tokens", "integer", "the same, older"},
             {"tools", "array", "functions the model may call"},
             {"tool_choice", "any", "none, auto, required or one function"},
             {"parallel_tool_calls", "boolean", "false: one call at most"},
             {"logprobs", "boolean", "log probabilities of the answer's tokens"},
             {"top_logprobs", "integer", "0 to 20 of the likeliest beside each"},
             {"reasoning_effort", "string", "for models whose template knows it"},
             {"chat_template_kwargs", "object", "variables of the model's chat template"}},
            sampling)},
      {"post", "/v1/completions", "Chat", "How a text goes on",
       with({model,
             {"prompt", "any", "a text, several, or token ids", true},
             {"max_tokens", "integer", "16 if not given; 0: no answer, for the prompt's log probabilities"},
             {"echo", "boolean", "the prompt before the answer"},
             {"logprobs", "integer", "0 to 5 of the likeliest beside each token's; with echo also of the prompt"},
             {"best_of", "integer", "of so many answers the likeliest"}},
            sampling)},
      {"post",
       "/v1/responses",
       "Responses",
       "An answer that can be kept and gone on from",
       {model,
        {"input", "any", "a text or items", true},
        {"instructions", "string", "the system prompt"},
        {"previous_response_id", "string", "what to go on from"},
        {"store", "boolean", "keep it"},
        {"tools", "array", "functions"},
        {"tool_choice", "any", "none, auto, required or one function"},
        {"max_output_tokens", "integer", "at most"},
        {"temperature", "number", "0 to 2"},
        {"top_p", "number", "0 to 1"},
        {"stream", "boolean", "events as it comes"},
        {"metadata", "object", "up to 16 texts"}}},
      {"get", "/v1/responses/{id}", "Responses", "A stored response"},
      {"delete", "/v1/responses/{id}", "Responses", "Forget it"},
      {"post", "/v1/responses/{id}/cancel", "Responses", "Stop one that runs in the background"},
      {"get", "/v1/responses/{id}/input_items", "Responses", "What it was asked"},
      {"post",
       "/v1/messages",
       "Messages (Anthropic)",
       "The next message",
       {model,
        {"messages", "array", "role and content each", true},
        {"max_tokens", "integer", "tokens of the answer at most", true},
        {"system", "any", "the system prompt"},
        {"tools", "array", "name, description, input_schema"},
        {"tool_choice", "object", "auto, any, tool or none"},
        {"stop_sequences", "array", "texts that end the answer"},
        {"temperature", "number", "0 to 1"},
        {"top_p", "number", "0 to 1"},
        {"top_k", "integer", "the k likeliest"},
        {"stream", "boolean", "events as it comes"}}},
      {"post",
       "/v1/messages/count_tokens",
       "Messages (Anthropic)",
       "How many tokens a prompt has",
       {model, {"messages", "array", "role and content each", true}, {"system", "any", ""}, {"tools", "array", ""}}},
      {"post",
       "/v1/embeddings",
       "Embeddings",
       "Texts as vectors",
       {model,
        {"input", "any", "a text, several, or token ids", true},
        {"dimensions", "integer", "the first so many, made to length one again"},
        {"encoding_format", "string", "float or base64"}}},
      {"get", "/v1/files", "Files and batches", "Uploaded files"},
      {"post", "/v1/files", "Files and batches", "Upload one (multipart/form-data: file, purpose)"},
      {"get", "/v1/files/{id}", "Files and batches", "One file"},
      {"get", "/v1/files/{id}/content", "Files and batches", "Its bytes", {}, "application/octet-stream"},
      {"delete", "/v1/files/{id}", "Files and batches", "Delete it"},
      {"get", "/v1/batches", "Files and batches", "Batches"},
      {"post",
       "/v1/batches",
       "Files and batches",
       "Work a file of requests, at low priority",
       {{"input_file_id", "string", "an uploaded file of JSON lines", true},
        {"endpoint", "string", "/v1/chat/completions and its kin", true},
        {"completion_window", "string", "24h", true},
        {"metadata", "object", "up to 16 texts"}}},
      {"get", "/v1/batches/{id}", "Files and batches", "How far it is"},
      {"post", "/v1/batches/{id}/cancel", "Files and batches", "Stop it"},
      {"post", "/tokenize", "Tokens", "A text's token ids", {any_model, {"content", "string", "the text", true}}},
      {"post", "/detokenize", "Tokens", "Token ids as text", {any_model, {"tokens", "array", "ids", true}}},
      {"post",
       "/apply-template",
       "Tokens",
       "The prompt that a conversation becomes",
       {any_model, {"messages", "array", "role and content each", true}}},
      {"get", "/health", "Server", "Whether it is alive", {}, "application/json", true},
      {"get", "/ready", "Server", "Whether it can answer", {}, "application/json", true},
      {"get", "/status", "Server", "Models, load, cache"},
      {"get", "/metrics", "Server", "Prometheus text", {}, "text/plain"},
  };
}

Json schema_of(const std::vector<Field>& fields) {
  Json properties = Json::object(), required = Json::array();
  for (const Field& f : fields) {
    Json property = Json::object();
    if (f.type != "any") property["type"] = f.required ? Json(f.type) : Json({f.type, "null"});  // null: not given
    if (!f.note.empty()) property["description"] = f.note;
    properties[std::string(f.name)] = std::move(property);
    if (f.required) required.push_back(f.name);
  }
  return {{"type", "object"}, {"properties", properties}, {"required", required}};
}

}  // namespace

std::string openapi_json() {
  Json paths = Json::object();
  for (const Operation& o : operations()) {
    Json operation = {{"tags", {o.tag}}, {"summary", o.summary}};
    if (o.path.find("{id}") != o.path.npos)
      operation["parameters"] = {
          {{"name", "id"}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}}};
    if (o.open) operation["security"] = Json::array();
    if (!o.body.empty())
      operation["requestBody"] = {{"required", true},
                                  {"content", {{"application/json", {{"schema", schema_of(o.body)}}}}}};
    operation["responses"] = {
        {"200", {{"description", "as asked"}, {"content", {{std::string(o.answer), Json::object()}}}}},
        {"4XX", {{"description", "what is wrong, with the field's name"}}},
        {"5XX", {{"description", "what the server could not do: a model's file that cannot be opened, no memory"}}}};
    paths[std::string(o.path)][std::string(o.method)] = std::move(operation);
  }
  return Json{{"openapi", "3.1.0"},
              {"info", {{"title", "madang"}, {"version", std::string(version)}}},
              {"security", {{{"key", Json::array()}}}},
              {"components", {{"securitySchemes", {{"key", {{"type", "http"}, {"scheme", "bearer"}}}}}}},
              {"paths", paths}}
      .dump();
}

}  // namespace madang
