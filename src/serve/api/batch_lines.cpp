#include "serve/api/batch_lines.h"

#include <set>

#include "base/error.h"
#include "serve/api/named_events.h"
#include "serve/fields.h"

namespace madang {
namespace {

constexpr size_t most_lines = 50'000;  // OpenAI's bound
constexpr size_t most_faults = 20;     // enough to see what is wrong

BatchLine read_line(std::string_view text, int64_t number, const std::string& endpoint) {
  const Json json = parse_json(text, "line");
  Fields f(json, "");
  BatchLine line{number, f.need("custom_id", f.text("custom_id")), ""};
  f.need("method", f.choice("method", {"POST"}));
  f.need("url", f.choice("url", {endpoint}));
  const Json& body = f.need("body", f.object("body"));
  if (body.value("stream", Json()) == true)
    throw Problem(say("a line of a batch cannot be streamed"), "body.stream", "invalid_value");
  f.finish();
  line.body = body.dump();
  return line;
}

}  // namespace

BatchInput read_batch_input(std::string_view bytes, const std::string& endpoint) {
  BatchInput out;
  std::set<std::string> seen;
  auto fault = [&](const Problem& problem, int64_t number) {
    out.faults.push_back({{"code", problem.code().empty() ? "invalid_json_line" : problem.code()},
                          {"message", problem.message()},
                          {"param", problem.param().empty() ? Json(nullptr) : Json(problem.param())},
                          {"line", number + 1}});
  };
  for (int64_t number = 0; !bytes.empty() && out.faults.size() < most_faults; ++number) {
    const size_t end = std::min(bytes.find('\n'), bytes.size());
    const std::string_view text = bytes.substr(0, end);
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    if (text.find_first_not_of(" \t\r") == text.npos) continue;
    try {
      BatchLine line = read_line(text, number, endpoint);
      if (!seen.insert(line.custom_id).second)
        throw Problem(say("the custom_id '{}' comes twice", line.custom_id), "custom_id", "duplicate_custom_id");
      if (out.lines.size() == most_lines)
        throw Problem(say("a batch takes at most {} lines", most_lines), "", "too_many_requests");
      out.lines.push_back(std::move(line));
    } catch (const Problem& problem) {
      fault(problem, number);
    } catch (const Error& error) {
      fault(Problem(error), number);
    }
  }
  if (out.lines.empty() && out.faults.empty()) fault(Problem(say("the file holds no request"), "", "empty_file"), 0);
  return out;
}

std::string batch_output_line(const std::string& custom_id, const std::string& request_id, int status,
                              const std::string& body) {
  Json answer = Json::parse(body, nullptr, false);
  if (answer.is_discarded()) answer = body;
  return json_text({{"id", new_id("batch_req_")},
                    {"custom_id", custom_id},
                    {"response", {{"status_code", status}, {"request_id", request_id}, {"body", std::move(answer)}}},
                    {"error", nullptr}});
}

}  // namespace madang
